"""News for others: a row each, sent with growing pauses until it is acknowledged."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from datasets.ddm import outbox, signing
from datasets.models import CallbackNews, CallbackTarget, Subscription
from datasets.subscriptions import Terms, cancel, subscribe
from pandasite.base.clock import database_now
from tests.builders import NOW, create_dataset, create_file, create_storage

pytestmark = pytest.mark.django_db
SECRET = "shared-with-the-other-side-0123456789abcdef"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), body))
        status, answer = self.server.answer(json.loads(body))
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def acknowledges(body):
    told = [{"id": one["id"], "outcome": "recorded"} for one in body["news"]]
    return 200, json.dumps({"answers": told}).encode()


@pytest.fixture
def other(settings):
    """The other side: `answer` is what it says, `heard` what it got."""
    settings.PANDASITE_DDM_SECRETS = {"us": (SECRET, "the-old-one-0123456789abcdef0123456789ab")}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.heard, server.answer = [], acknowledges
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def target(server, **fields):
    url = f"http://127.0.0.1:{server.server_address[1]}/rest/v1/ddm/callbacks"
    fields = {"name": "panda", "url": url, "secret": "us", "private": True} | fields
    return CallbackTarget.objects.create(**fields)


def arrived_subscription(callback):
    """One whose files are all there."""
    here, dataset = create_storage(), create_dataset()
    create_file(at=[here], dataset=dataset)
    terms = Terms(callback=callback)
    return subscribe(dataset, here, activity="production", now=NOW, terms=terms)


def send():
    now = database_now()
    outbox.make_news(now=now)
    return outbox.send_news(now=now)


def test_the_end_of_a_subscription_is_told_once_and_signed(other):
    wish = arrived_subscription(target(other))

    assert (send(), send()) == (1, 0)

    ((headers, body),) = other.heard
    (news,) = json.loads(body)["news"]
    assert (news["kind"], news["dataset"]) == ("dataset_arrived", wish.dataset.name)
    time = headers[signing.TIME]
    given = headers[signing.SIGNATURE]
    assert signing.holds(given, [SECRET], sender="us", time=time, body=body)
    assert CallbackNews.objects.get().delivered_at


def test_a_cancelled_subscription_is_told_with_its_reason(other):
    dataset = create_dataset()
    create_file(dataset=dataset)
    terms = Terms(callback=target(other))
    wish = subscribe(dataset, create_storage(), activity="x", now=NOW, terms=terms)
    cancel(wish, actor="alice", reason="wrong site", now=NOW)

    send()

    (news,) = json.loads(other.heard[0][1])["news"]
    assert (news["kind"], news["reason"]) == ("dataset_failed", "cancelled by alice: wrong site")


def test_nobody_is_told_of_a_subscription_that_is_open(other):
    dataset = create_dataset()
    create_file(dataset=dataset)
    terms = Terms(callback=target(other))
    subscribe(dataset, create_storage(), activity="x", now=NOW, terms=terms)

    assert send() == 0
    assert not CallbackNews.objects.exists()


BAD = {
    "500": lambda body: (500, b"no"),
    "HTML": lambda body: (200, b"<html>Welcome to the proxy"),
    "another answer": lambda body: (200, b'{"ok": true}'),
    "of another news": lambda body: (200, b'{"answers": [{"id": "x", "outcome": "recorded"}]}'),
    "a refusal": lambda body: (
        200,
        json.dumps({"answers": [{"id": body["news"][0]["id"], "problem": {}}]}).encode(),
    ),
    "403": lambda body: (403, b"{}"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_acknowledged_is_kept_and_sent_again_until_it_is(other, name):
    arrived_subscription(target(other))
    other.answer = BAD[name]

    assert send() == 0

    kept = CallbackNews.objects.get()
    assert kept.error
    assert (kept.tries, kept.delivered_at) == (1, None)
    CallbackNews.objects.update(next_try_at=NOW)
    other.answer = acknowledges
    assert outbox.send_news(now=database_now()) == 1
    first, second = (json.loads(body) for _, body in other.heard)
    assert first == second  # the same id: a replay over there


def test_the_pauses_double_up_to_five_minutes():
    pauses = [outbox.pause_after(tries).total_seconds() for tries in range(1, 12)]

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_target_that_fails_is_asked_once_in_a_round(other):
    callback = target(other)
    for _ in range(3):
        arrived_subscription(callback)
    other.answer = BAD["500"]

    send()

    assert len(other.heard) == 1


def test_without_the_secret_nothing_is_sent(other, settings):
    settings.PANDASITE_DDM_SECRETS = {}
    arrived_subscription(target(other))

    send()

    assert other.heard == []
    assert "there is no secret us" in CallbackNews.objects.get().error


def test_a_target_that_is_switched_off_waits(other):
    arrived_subscription(target(other, enabled=False))

    assert send() == 0
    assert CallbackNews.objects.get().tries == 0


def test_an_inner_address_is_not_called_unless_the_record_says_so(other):
    arrived_subscription(target(other, private=False))

    send()

    assert other.heard == []
    assert "must be https" in CallbackNews.objects.get().error
    assert Subscription.objects.get().told_state == "done"
