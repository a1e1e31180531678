"""The short way of a report and the long one: same answers, same rows."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
from django.db import connection, connections, transaction

from jobs import quick, report, services
from jobs.identity import Caller
from jobs.judge import judge
from jobs.models import Job, JobEvent, JobFile, JobOutput, Pulse
from pandasite.base.errors import DomainError
from tests.builders import NOW, after, create_job, create_pilot, create_site
from tests.jobs.asking import made, word

pytestmark = pytest.mark.django_db


def rows(job: Any) -> list[Any]:
    """Everything that a report may change."""
    mine = {"job": job.pk}
    return [
        Job.objects.filter(pk=job.pk).values().get(),
        list(Pulse.objects.filter(**mine).values()),
        list(JobEvent.objects.filter(**mine).order_by("seq").values()),
        list(JobFile.objects.filter(**mine).order_by("lfn").values()),
        list(JobOutput.objects.filter(**mine).values()),
    ]


def without_keys(found: list[Any]) -> list[Any]:
    """Numbers that a sequence gave, and when pilot and node were told, are nobody's business."""
    return [
        [{k: v for k, v in row.items() if k not in ("id", "told_at")} for row in table]
        for table in [[found[0]], *found[1:]]
    ]


def quickly(caller: Caller, said: report.Report) -> report.Answer | None:
    if said.is_final:
        return quick.final_word(caller=caller, report=said, now=after(minutes=50))
    return quick.beat(caller=caller, report=said, now=after(minutes=50))


def at_length(caller: Caller, said: report.Report) -> report.Answer:
    now = after(minutes=50)
    return judge(site_id=caller.site_id, site=caller.site, report=said, now=now)


def undone(work: Any, job: Any) -> tuple[Any, list[Any]]:
    """What it answered or refused, and the rows afterwards; then it has not been."""
    with transaction.atomic():
        try:
            answer = work()
        except DomainError as refusal:
            answer = refusal
        found = rows(job)
        transaction.set_rollback(True)
    return answer, found


LOG = "log.{}._1.job.log.tgz"
# (state, columns of the job, the pilot's word and what it says)
COMMON: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("running", {}, "running", {}),
    ("running", {"report_seq": 6}, "running", {"cpu_consumption_time": 9, "max_rss_mb": 5}),
    ("running", {"max_rss_mb": 80}, "running", {"cpu_consumption_time": 0, "max_rss_mb": 5}),
    ("running", {"report_seq": 7}, "running", {}),
    ("running", {"report_seq": 8}, "starting", {"stdout_tail": "old"}),
    ("running", {"report_seq": 8}, "running", {"cpu_consumption_time": 7}),
    ("running", {"command": "tobekilled", "command_attempt": 0}, "running", {}),
    ("running", {}, "starting", {}),
    ("running", {}, "running", {"stdout_tail": "event 7\n", "truncated": True}),
    ("starting", {}, "starting", {}),
    ("starting", {}, "running", {"cpu_consumption_time": 4, "max_rss_mb": 3}),
    ("sent", {}, "starting", {}),
    ("sent", {"node": "x" * 128}, "running", {"stdout_tail": ""}),
    ("running", {}, "finished", {}),
    ("sent", {}, "finished", {"exit_code": 0, "cpu_consumption_time": 8}),
    ("running", {"max_rss_mb": 80}, "finished", {"max_rss_mb": 70, "stdout_tail": "end"}),
    ("starting", {}, "failed", {}),
    ("running", {}, "failed", {"exit_code": 7}),
    ("running", {}, "failed", {"errors": {"exe_error_code": 60010, "exe_error_diag": "11"}}),
    ("running", {}, "failed", {"errors": {"pilot_error_diag": "no code"}, "exit_code": 0}),
    ("running", {}, "finished", {"sent_at": after(hours=3), "start_time": NOW, "end_time": NOW}),
    ("running", {}, "finished", {"sent_at": after(minutes=49)}),
]
RARE: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("running", {}, "running", {"lease_token": "of somebody else"}),
    ("running", {"attempt_nr": 2}, "running", {}),
    ("running", {"command": "tobekilled", "command_attempt": 1}, "running", {}),
    ("running", {"command": "tobekilled", "command_attempt": 1}, "finished", {}),
    ("running", {"command": "tobekilled", "command_attempt": 1, "report_seq": 9}, "running", {}),
    ("running", {"report_seq": 7}, "finished", {}),
    ("running", {}, "finished", {"log_file": made("passwd")[0]}),
    ("running", {}, "finished", {"output_files": made("core.1")}),
    ("holding", {}, "running", {}),
    ("holding", {}, "finished", {}),
    ("holding", {"verdict": "failed"}, "finished", {}),
    ("finished", {}, "running", {}),
    ("activated", {}, "running", {}),
]


def with_site(state: str, columns: dict[str, Any]) -> tuple[Any, Caller]:
    site = create_site("AGLT2")
    return create_job(state, site=site, **columns), Caller(account_id=0, site_id=site.pk, site="A")


@pytest.mark.parametrize("situation", COMMON, ids=str)
def test_in_the_common_case_the_short_way_does_what_the_long_one_does(situation):
    state, columns, said, facts = situation
    job, caller = with_site(state, columns)
    said = word(job, said, **facts)

    answer, after_short = undone(lambda: quickly(caller, said), job)
    expected, after_long = undone(lambda: at_length(caller, said), job)

    assert answer == expected
    assert without_keys(after_short) == without_keys(after_long)


@pytest.mark.parametrize("situation", RARE, ids=str)
def test_in_a_rare_case_the_short_way_changes_nothing_and_leaves_it_to_the_long_one(situation):
    state, columns, said, facts = situation
    job, caller = with_site(state, columns)
    said = word(job, said, **facts)
    before = rows(job)

    assert quickly(caller, said) is None
    assert rows(job) == before


@pytest.mark.parametrize(
    ("declared", "said"),
    [(["HIST.1", "HIST.2"], ["HIST.2", "HIST.1"]), (["HIST.1"], []), ([], ["HIST.1"])],
    ids=["all", "too few", "too many"],
)
def test_outputs_are_booked_alike_on_both_ways(declared, said):
    job, caller = with_site("running", {})
    for lfn in declared:
        job.files.create(type="output", scope="mc09", lfn=lfn)
    job.files.create(type="input", scope="mc09", lfn="EVNT.1")
    log = made(LOG.format(job.pk), events=3)[0]
    said = word(job, "finished", output_files=made(*said), log_file=log)

    answer, after_short = undone(lambda: quickly(caller, said), job)
    expected, after_long = undone(lambda: at_length(caller, said), job)

    if answer is None:
        assert isinstance(expected, DomainError)
        assert without_keys(after_short) == without_keys(rows(job))
    else:
        assert answer == expected
        assert without_keys(after_short) == without_keys(after_long)


def test_two_outputs_of_one_name_are_left_to_the_long_way():
    job, caller = with_site("running", {})
    for scope in ("mc09", "mc10"):
        job.files.create(type="output", scope=scope, lfn="HIST.1")

    assert quickly(caller, word(job, "finished", output_files=made("HIST.1"))) is None


def test_a_log_that_is_sent_again_replaces_the_first(site, pilots):
    job = create_job("running", site=site)
    lfn = LOG.format(job.pk)
    job.files.create(type="log", scope="log", lfn=lfn, size=1)

    quickly(Caller.of(pilots), word(job, "failed", log_file=made(lfn)[0]))

    assert job.files.get().size == 10


# -- heartbeats are cheap ----------------------------------------------------------------------


def written() -> dict[str, dict[str, int]]:
    """Rows that were updated, and how many of them without touching an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('jobs_job', 'jobs_pulse', 'jobs_pilot')"
        )
        return {name: {"all": n, "hot": hot} for name, n, hot in cursor.fetchall()}


def test_a_heartbeat_leaves_the_job_alone_and_every_index_of_its_pulse(site, pilots):
    job = create_job("running", site=site, pilot=create_pilot(site, last_report=NOW))
    caller = Caller.of(pilots)
    before = written()

    for n in range(5):
        quick.beat(caller=caller, report=word(job, seq=2 * n + 1), now=after(minutes=n))
        quick.beats(caller=caller, reports=[word(job, seq=2 * n + 2)], now=after(minutes=n))

    changed = {name: Counter(n) - Counter(before[name]) for name, n in written().items()}
    assert changed["jobs_pulse"] == {"all": 10, "hot": 10}
    assert not changed["jobs_job"]
    assert changed["jobs_pilot"] == {"all": 1, "hot": 1}  # once an hour


# -- at the same time --------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_that_waits_for_the_end_of_its_job_learns_of_it(site, pilots):
    job = create_job("running", site=site)
    answers: list[Any] = []

    def beat() -> None:
        with suppress(DomainError):
            answers.append(report.hear(caller=Caller.of(pilots), report=word(job), now=NOW))
        connections.close_all()

    waiting = Thread(target=beat)
    with transaction.atomic():
        services.kill(job.pk, actor="alice", reason="wrong seed", now=NOW)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(60)

    assert [(answer.state, answer.command) for answer in answers] == [("cancelled", "tobekilled")]
