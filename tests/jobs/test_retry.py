"""Somebody tries failed jobs again: each has one successor, whichever side it lies on."""

from __future__ import annotations

import pytest

from jobs import errors, fsck, retry, services
from jobs.models import Job
from pandasite.base.models import AuditLine
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_user,
    local_storage,
    manned_site,
    put_away,
)

pytestmark = pytest.mark.django_db


def again(*jobs: Job, reason: str = "disk mended") -> retry.Retried:
    return retry.retry(
        [job.pk for job in jobs],
        user=create_user("olga"),
        reason=reason,
        now=after(hours=1),
        subject="pilot",
    )


def worn_out() -> Job:
    """A failed job without attempts left, with a file to read and one to make."""
    site = manned_site()
    data = create_file(at=[local_storage(site)])
    return create_job(
        "failed", site=site, attempt_nr=3, max_attempt=3, inputs=[data], outputs=["HIST.1"],
        dataset=create_dataset(), pilot_error_code=1137,
    )  # fmt: skip


@pytest.mark.parametrize("archived", [False, True])
def test_a_job_without_attempts_left_gets_one_more(archived: bool) -> None:
    # given
    job = worn_out()
    if archived:
        put_away()
    # when
    result = again(job)
    # then
    successor = Job.objects.get(retry_of=job.pk)
    assert result.successors == {job.pk: successor.pk} and not result.refused
    assert (successor.state, successor.attempt_nr, successor.max_attempt) == ("waiting", 3, 4)
    files = sorted(successor.files.values_list("type", "lfn", "status"))
    assert [file[0] for file in files] == ["input", "output"]
    assert files[1] == ("output", "HIST.1", "pending")
    assert successor.files.get(type="input").file is not None
    event = successor.events.get()
    assert (event.actor, event.reason) == ("olga", {"retry_of": job.pk, "reason": "disk mended"})
    assert fsck.check() == []


@pytest.mark.parametrize("archived", [False, True])
def test_a_job_is_tried_again_once(archived: bool) -> None:
    # given
    job = worn_out()
    first = Job.objects.get(pk=again(job).successors[job.pk])
    services.fail(
        Job.objects.filter(pk=first.pk), errors.EXPIRED, actor="watchdog", now=after(hours=2)
    )
    if archived:
        put_away()
    # when
    result = again(job)
    # then
    assert result.refused == {job.pk: f"job {first.pk} has tried it again already"}
    assert retry.retriable([job.pk]) == []


def test_what_has_not_failed_is_refused_and_stops_no_other() -> None:
    running, finished, failed = (create_job(s) for s in ("running", "finished", "failed"))

    result = retry.retry(
        [running.pk, finished.pk, failed.pk, 4711], user=create_user("olga"), reason="r", now=NOW
    )

    assert list(result.successors) == [failed.pk]
    assert result.refused == {
        running.pk: "it is running, only failed jobs are tried again",
        finished.pk: "it is finished, only failed jobs are tried again",
        4711: "there is no such job",
    }


def test_a_job_whose_outputs_another_makes_by_now_is_refused() -> None:
    job = worn_out()
    create_job("running", outputs=["HIST.1"])

    assert again(job).refused == {job.pk: "another job makes its outputs by now"}
    assert not Job.objects.filter(retry_of=job.pk).exists()
    assert fsck.check() == []


def test_an_audit_line_tells_who_wanted_it_and_what_came_of_it() -> None:
    job = worn_out()

    successor = again(job).successors[job.pk]

    line = AuditLine.objects.get()
    assert (line.actor_name, line.action, line.subject) == ("olga", "job_retry", "pilot")
    assert line.reason == "disk mended"
    assert line.facts == {"successors": {str(job.pk): successor}, "refused": {}}


def test_what_can_be_tried_again_can_be_told_before() -> None:
    job, other = worn_out(), create_job("running")

    assert retry.retriable([job.pk, other.pk, 4711]) == [job.pk]
