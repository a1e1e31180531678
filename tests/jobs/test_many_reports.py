"""Many reports in one call: each answered as it would be alone, and none in the way of another."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connections

from jobs import fsck, report
from jobs.identity import Caller
from jobs.models import Job, Pulse
from pandasite.base.errors import Conflict, DomainError
from tests.builders import NOW, after, create_job
from tests.jobs.asking import made, word

pytestmark = pytest.mark.django_db


def all_of(pilots: Any, *said: report.Report) -> list[report.Answer | DomainError]:
    return report.hear_all(caller=Caller.of(pilots), reports=said, now=after(minutes=50))


def test_reports_are_answered_in_their_order_each_as_it_would_be_alone(site, pilots):
    beating, late, moving, ending, killed, foreign = (
        create_job("running", site=site),
        create_job("running", site=site, report_seq=7),
        create_job("sent", site=site),
        create_job("running", site=site, outputs=["HIST.1"]),
        create_job("running", site=site, command="tobekilled", command_attempt=1),
        create_job("running"),
    )

    answers = all_of(
        pilots,
        word(foreign),
        word(ending, "finished", output_files=made("HIST.1")),
        word(killed),
        word(moving, "starting"),
        word(late),
        word(beating, cpu_consumption_time=9),
    )

    assert isinstance(answers[0], DomainError) and answers[0].code == "not_found"
    told = [(a.state, a.command, a.replayed) for a in answers[1:]]
    assert told == [
        ("holding", None, False),
        ("cancelled", "tobekilled", False),
        ("starting", None, False),
        ("running", None, True),
        ("running", None, False),
    ]
    assert Pulse.objects.get(pk=beating.pk).cpu_consumption_time == 9
    assert fsck.check() == []


def test_a_refused_report_does_not_stop_the_others(site, pilots):
    bad, good = create_job("running", site=site), create_job("running", site=site)

    answers = all_of(pilots, word(bad, lease_token="guess"), word(good))

    assert isinstance(answers[0], Conflict) and answers[0].code == "stale_lease"
    assert Pulse.objects.get(pk=good.pk).heard_at == after(minutes=50)
    assert Pulse.objects.get(pk=bad.pk).heard_at == NOW


def test_reports_on_one_job_are_heard_one_after_the_other(site, pilots):
    job = create_job("sent", site=site)

    answers = all_of(
        pilots, word(job, "starting", seq=1), word(job, seq=2), word(job, seq=1),
        word(job, "finished", seq=3), word(job, seq=4),
    )  # fmt: skip

    assert [getattr(a, "state", "") for a in answers[:4]] == [
        "starting", "running", "running", "holding",
    ]  # fmt: skip
    assert [getattr(a, "replayed", None) for a in answers[:4]] == [False, False, True, False]
    assert isinstance(answers[4], Conflict)
    assert [e.to_state for e in job.events.order_by("seq")][1:] == [
        "starting", "running", "holding",
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_two_calls_with_the_same_jobs_in_any_order_do_not_block_each_other(site, pilots):
    jobs = [create_job(state, site=site) for state in ("running", "sent") * 30]
    problems: list[str] = []

    def call(order: list[Any], seq: int) -> None:
        try:
            for n in range(5):
                all_of(pilots, *(word(job, seq=seq + n) for job in order))
        except OperationalError as error:
            problems.append(str(error))
        finally:
            connections.close_all()

    calls = [Thread(target=call, args=a) for a in ((jobs, 1), (jobs[::-1], 3), (jobs, 2))]
    for one in calls:
        one.start()
    for one in calls:
        one.join(60)

    assert problems == []
    assert {pulse.report_seq for pulse in Pulse.objects.all()} == {7}
    assert Job.objects.filter(state="running").count() == 60
    assert fsck.check() == []
