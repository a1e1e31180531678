"""Answers that are lost after the server has done what it was asked: nobody is the worse for it."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests

from jobs.models import Job
from pandasite.demo.grid import CMT_CONFIG
from tests.flow.checks import wrongs
from tests.flow.grid import HOME, LABORATORY, by_hand
from tests.flow.installation import eventually
from tests.flow.proxy import CLAIM, Exchange, Question, proxy_to
from tests.flow.site import FlowSite

pytestmark = pytest.mark.faults
TIMES = 2  # how often each of them is lost


def each_answer(times: int) -> Callable[[Question, dict[str, Any]], bool]:
    """Loses the answer to each claim that came to a job, to each first beat and final report."""
    seen: Counter[object] = Counter()
    lock = threading.Lock()

    def lose(question: Question, answer: dict[str, Any]) -> bool:
        if question.path == CLAIM and not answer.get("job"):
            return False
        what = question.key or (question.body["panda_id"], question.body["state"])
        with lock:
            seen[what] += 1
            return question.body.get("state") != "running" and seen[what] <= times

    return lose


def test_lost_answers_strand_no_job_and_start_none_twice(site: FlowSite) -> None:
    # given a network that loses answers
    with proxy_to(site.url) as proxy:
        proxy.lose_answer = each_answer(TIMES)
        panda_ids = site.submit(by_hand("answers", 4, journal=site.journal))

        # when two pilots behind it do four jobs
        pilots = [site.start_pilot(f"answers{nr}", server=proxy.url) for nr in (1, 2)]
        site.await_end(panda_ids)
        for pilot in pilots:
            pilot.terminate()
        assert [pilot.wait(120) for pilot in pilots] == [0, 0]

    # then each question was asked until an answer came through
    claims = grouped(proxy.claims(), by=lambda one: one.question.key)
    finals = grouped(proxy.finals(), by=lambda one: one.question.body["panda_id"])
    for group in [*claims, *finals]:
        assert [one.lost for one in group] == [True] * TIMES + [False]
    # and it was the same job with the same lease, and the same final word
    assert [len({str(one.answer) for one in group}) for group in claims] == [1] * 4
    for group in finals:
        assert [one.answer["replayed"] for one in group] == [False] + [True] * TIMES
    assert wrongs(site, panda_ids) == []
    with site.books():
        jobs = Job.objects.filter(pk__in=panda_ids)
        assert set(jobs.values_list("state", "attempt_nr")) == {("finished", 1)}


def grouped(exchanges: list[Exchange], *, by: Callable[[Exchange], Any]) -> list[list[Exchange]]:
    """Those that belong together, in the order of time."""
    return [list(group) for _, group in itertools.groupby(sorted(exchanges, key=by), key=by)]


def test_without_the_idempotency_key_a_lost_answer_strands_the_job(site: FlowSite) -> None:
    """The control: what the key is for."""
    # given
    with proxy_to(site.url) as proxy:
        proxy.lose_answer = each_answer(1)
        first, second = site.submit(by_hand("control", 2, journal=site.journal))
        eventually(lambda: site.states([first, second]) == ["activated"] * 2)

        # when a client asks with a new key each time
        with pytest.raises(requests.ConnectionError):
            claim(site, proxy.url, key=uuid.uuid4().hex)
        proxy.lose_answer = each_answer(0)
        got = claim(site, site.url, key=uuid.uuid4().hex)

    # then nobody knows of the first job, though it counts as handed out
    assert got["panda_id"] == second
    assert [one.job["panda_id"] for one in proxy.claims() if one.job] == [first]
    assert site.states([first]) == ["sent"]
    site.kill_jobs([first, second])


def claim(site: FlowSite, url: str, *, key: str) -> dict[str, Any]:
    """Ask as a pilot at home does; the job."""
    token = (site.folder.site(HOME) / "token").read_text(encoding="ascii")
    headers = {"Authorization": f"Token {token}", "Idempotency-Key": key}
    facts = {
        "site": HOME.name,
        "node": "control",
        "pilot_id": "control",
        "cpu_speed_mhz": HOME.cpu_speed_mhz,
        "memory_mb": HOME.memory_mb,
        "free_disk_mb": 10_000,
        "releases": [{"release": LABORATORY, "cmt_config": CMT_CONFIG}],
        "labels": ["managed"],
    }
    answer = requests.post(f"{url.rstrip('/')}{CLAIM}", json=facts, headers=headers, timeout=60)
    return dict(answer.json()["job"])
