"""The claim: one key until the answer is there."""

from __future__ import annotations

import datetime as dt
import signal

import pytest

from pilot_client.claim import claim
from pilot_client.control import Stop
from pilot_client.errors import PilotEnds
from pilot_client.server import Server
from tests.pilot.fake_server import CLAIM, DROP_ANSWER, DROP_UNSEEN, FakeServer, Fault
from tests.pilot.harness import TOKEN, Site, end_of, eventually

BUSY: list[Fault] = [
    DROP_ANSWER,
    DROP_UNSEEN,
    (500, {}, {}),
    (503, {"Retry-After": "0"}, {"code": "unavailable"}),
    (409, {"Retry-After": "0"}, {"code": "in_flight"}),
    (429, {"Retry-After": "0"}, {"code": "throttled"}),
]


def test_a_lost_answer_keeps_the_key_and_gives_the_same_job(server: FakeServer, site: Site) -> None:
    # given a job, and a server that answers only after many ways of not answering
    server.jobs.append(site.job())
    server.jobs.append(site.job(panda_id=2))
    server.faults[CLAIM].extend(BUSY)

    # when
    ended = site.run(server)

    # then the first job was handed out, once, under one key
    assert ended.code == 0
    assert len(set(server.keys)) == 1
    assert server.final()["panda_id"] == 1
    assert len(server.jobs) == 1
    assert len({str(body | {"sent_at": ""}) for body in server.claims}) == 1
    assert len({body["sent_at"] for body in server.claims}) > 1


def test_no_job_is_asked_again_with_a_new_key_and_logs_the_reason(
    server: FakeServer, site: Site
) -> None:
    # given a site that is offline
    answer = {"job": None, "retry_after": 0.1, "reason": "site_offline", "message": "power cut"}
    server.faults[CLAIM].extend([(200, {}, answer)] * 2)
    server.jobs.append(site.job())

    # when
    ended = site.run(server)

    # then
    assert len(set(server.keys)) == 3
    assert ended.log.count("no job: site_offline power cut") == 1
    assert server.final()["state"] == "finished"


def test_the_claim_tells_the_facts_of_the_node(server: FakeServer, site: Site) -> None:
    # given
    server.jobs.append(site.job())

    # when
    ended = site.run(server, "--labels", "managed,test", "--cpu-speed", "2400", "--memory", "2000")

    # then what was given is told, the rest is measured, and the token is in the header only
    assert server.tokens == {f"Token {TOKEN}"}
    assert TOKEN not in str(server.claims) + str(server.reports) + ended.log
    facts = server.claims[0]
    assert facts["site"] == "AGLT2"
    assert facts["node"] == "wn01"
    assert facts["cpu_speed_mhz"] == 2400
    assert facts["memory_mb"] == 2000
    assert facts["free_disk_mb"] > 0
    assert facts["core_count"] > 0
    assert facts["labels"] == ["managed", "test"]
    assert facts["releases"] == [{"release": "Atlas-14.5.0", "cmt_config": "x86_64-linux-py3"}]
    assert len(facts["pilot_id"]) <= 64
    assert dt.datetime.fromisoformat(facts["sent_at"]).tzinfo is not None


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (400, 4), (404, 4), (422, 4)])
def test_a_refused_claim_ends_the_pilot_with_the_servers_words(
    server: FakeServer, site: Site, status: int, code: int
) -> None:
    # given
    server.faults[CLAIM].append((status, {}, {"code": "no", "message": "the reason is this"}))
    door = Server(url=server.url, token_file=site.token_file)

    # when
    with pytest.raises(PilotEnds, match=r"the server refuses.*the reason is this") as ends:
        claim(server=door, facts={"site": "AGLT2"}, stop=Stop())

    # then
    assert ends.value.exit_code == code


def test_a_missing_token_file_ends_the_pilot_with_a_sentence(
    server: FakeServer, site: Site
) -> None:
    # given
    site.token_file.unlink()

    # when
    ended = site.run(server)

    # then
    assert ended.code == 3
    assert "pilot ends: cannot read the token file" in ended.log


def test_a_waiting_pilot_ends_at_once_on_sigterm(server: FakeServer, site: Site) -> None:
    # given a pilot that waits for a minute
    server.retry_after = 60
    pilot = site.start(server, "--poll", "60")
    eventually(lambda: server.claims)

    # when
    pilot.send_signal(signal.SIGTERM)

    # then
    assert end_of(pilot, timeout=30).code == 0


def test_max_jobs_ends_the_pilot_after_so_many(server: FakeServer, site: Site) -> None:
    # given
    server.jobs.extend(site.job(panda_id=number) for number in (1, 2, 3))

    # when
    ended = end_of(site.start(server, "--max-jobs", "2"))

    # then
    assert ended.code == 0
    assert [one["panda_id"] for one in server.finals()] == [1, 2]
    assert site.leftovers() == []
