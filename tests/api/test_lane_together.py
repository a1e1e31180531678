"""Claims that are asked for together are answered each by its own token and request number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User

from brokerage.models import Site
from jobs import identity
from jobs.models import ClaimKey
from pandasite.base.later import LATER, Later
from pandasite.wsgi import application
from tests.api.calls import CLAIM, the_site
from tests.api.test_lane import CLAIMS, Told, environ_of, long_way, post
from tests.builders import create_job, create_site
from tests.jobs.crowd import crowd, lines, threads, transactions

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["lines", "long_way", "threads"]  # fixtures
Post = Callable[..., Told]


class Server:
    """Waits for the answer to a request, as granian does."""

    def __init__(self) -> None:
        self.answer: Future[Told] = Future()

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self.answer.set_result(Told.of(str(status), headers, body))


def post_later(path: str, body: Any, token: str, **more: Any) -> Told:
    """What a server is told whose threads do not wait for answers."""
    server, begun = Server(), list[Any]()
    later = Later(server)
    environ = environ_of(path, body, token, **more) | {LATER: later}
    pieces = application(environ, lambda *given: begun.extend(given))
    assert (list(pieces), begun) == ([], [])
    later.response_bytes(200, [], b"")  # what granian makes of that is no answer
    return server.answer.result(60)


def known_token(site: Site) -> str:
    """A pilot's token that this process has seen before."""
    token = identity.new_pilot_token(site)
    claim(token, site, "before")
    return token


def claim(token: str, site: Site, key: str, *, post: Post = post, **more: Any) -> Told:
    """By a pilot with the name of the key; `more` of what it says."""
    body = CLAIM | {"site": site.name, "pilot_id": key} | more
    return post(CLAIMS, body, token, HTTP_IDEMPOTENCY_KEY=key, HTTP_X_REQUEST_ID=f"number-{key}")


@pytest.mark.parametrize("post", [post, post_later])
def test_each_of_a_group_has_its_own_token_number_and_job(
    threads: ThreadPoolExecutor, post: Post
) -> None:
    # given three sites, of which one takes its pilots' token back
    sites = [the_site(), create_site("MWT2_UC"), create_site("BANNED")]
    tokens = [known_token(site) for site in sites]
    jobs = [create_job("activated", site=site).pk for site in sites]
    User.objects.filter(pilot_account__site=sites[2]).update(is_active=False)

    # when
    account = identity.pilot_account(create_site("ELSEWHERE"))
    with crowd(threads, account) as all_of_them:
        for token, site, key in zip(tokens, sites, "abc", strict=True):
            all_of_them.wait(lambda t=token, s=site, k=key: claim(t, s, k, post=post))
    a, b, c = all_of_them.answers()

    # then
    assert [one.status[:3] for one in (a, b, c)] == ["200", "200", "403"]
    assert [a.body["job"]["panda_id"], b.body["job"]["panda_id"]] == jobs[:2]
    assert [one.headers["X-Request-ID"] for one in (a, b, c)] == [f"number-{k}" for k in "abc"]
    assert c.body["code"] == "banned"
    assert transactions("a", "b") == 1
    assert not ClaimKey.objects.filter(key="c").exists()


def test_an_answer_that_comes_later_is_the_one_that_is_waited_for(long_way: list[str]) -> None:
    site = the_site()
    token = known_token(site)
    jobs = [create_job("activated", site=site).pk for _ in range(2)]
    del long_way[:]

    told = [claim(token, site, key, post=way) for way, key in [(post, "a"), (post_later, "b")]]
    again = claim(token, site, "b", post=post_later)
    none = [claim(token, site, key, post=way) for way, key in [(post, "c"), (post_later, "d")]]

    assert [one.status[:3] for one in (*told, again, *none)] == ["200"] * 5
    assert [one.body["job"]["panda_id"] for one in told] == jobs
    assert again.body == told[1].body
    assert [one.body["reason"] for one in none] == ["no_job"] * 2
    for waited, later in (told, none):
        assert waited.headers.keys() == later.headers.keys()
        assert waited.body.keys() == later.body.keys()
    assert long_way == []


def test_a_refusal_that_comes_later_has_the_words_of_the_view(long_way: list[str]) -> None:
    site = the_site()
    token = known_token(site)
    create_job("activated", site=site)
    assert claim(token, site, "a", post=post_later).status == "200"
    del long_way[:]

    told = claim(token, site, "a", node="another", post=post_later)

    assert (told.status, told.body["code"], long_way) == ("422", "key_reused", [CLAIMS])
    assert told.body["request_id"] == told.headers["X-Request-ID"] == "number-a"
