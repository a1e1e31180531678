"""Weeks of the archive are dropped whole, when nobody wants to keep them any longer."""

from __future__ import annotations

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from jobs import counts, fsck, retention
from jobs.models import BrokerageDecision, Job
from pandasite.base.models import AuditLine
from pandasite.management.commands import retain
from tests.builders import NOW, after, create_job, put_away
from tests.jobs.shelves import archived

pytestmark = pytest.mark.django_db
MONDAY = dt.date(2009, 9, 14)  # of the week of NOW


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retain, "database_now", lambda: after(days=100))


def run(*options: str) -> str:
    out = StringIO()
    call_command("retain", *options, stdout=out)
    return out.getvalue()


def ended(weeks: int, **columns: Any) -> Job:
    """A job in the archive that ended so many weeks before NOW."""
    job = create_job("finished", at=NOW - dt.timedelta(weeks=weeks), **columns)
    put_away()
    # What a request leaves for its end must be done before tables can go.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return job


def test_weeks_that_are_older_go_and_the_others_stay() -> None:
    ended(3), ended(2)
    kept = ended(0)

    said = run("--days", "107")  # two weeks before NOW is too old, this week is not over by then

    assert "week of 2009-08-24 dropped, 1 job" in said
    assert "week of 2009-08-31 dropped, 1 job" in said
    assert archived() == [kept.pk]
    assert retention.weeks_before(after(days=999)) == [retention.Week(monday=MONDAY, jobs=0)]


def test_a_week_stays_until_its_last_day_is_old_enough() -> None:
    ended(0)
    end = dt.datetime(2009, 9, 21, tzinfo=dt.UTC)

    assert retention.weeks_before(end - dt.timedelta(seconds=1)) == []
    assert [week.monday for week in retention.weeks_before(end)] == [MONDAY]


def test_the_books_agree_after_it() -> None:
    ended(0)
    create_job("failed", exe_error_code=5)
    put_away()
    create_job("running")
    counts.merge_old(after(days=90))  # the hours of its jobs are in one row by now

    run("--days", "1")

    assert fsck.check() == []
    counts.fold()
    counts.merge_old(after(days=91))
    assert fsck.check() == []
    assert [(c.state, c.n) for c in counts.read(ended_since=NOW)] == [("running", 1)]


def test_an_audit_line_tells_what_went() -> None:
    ended(0)

    run("--days", "1")

    line = AuditLine.objects.get()
    assert (line.actor, line.actor_name, line.action) == (None, retention.ACTOR, "archive_dropped")
    assert line.subject == "jobs that ended in the week of 2009-09-14"
    assert line.facts == {"jobs": 1}


def test_a_dry_run_drops_nothing() -> None:
    job = ended(0)

    assert "week of 2009-09-14 would be dropped, about" in run("--days", "1", "--dry-run")
    assert archived() == [job.pk]
    assert not AuditLine.objects.exists()


def test_by_default_all_is_kept_for_ever() -> None:
    job = ended(500)

    assert "kept for ever" in run()
    assert archived() == [job.pk]


def test_the_setting_holds_where_no_days_are_given(settings: Any) -> None:
    settings.PANDASITE = settings.PANDASITE | {"RETAIN_DAYS": 50}
    ended(0)

    assert "dropped, 1 job" in run()


def test_nothing_to_drop_is_said() -> None:
    assert "nothing is that old" in run("--days", "1")


def test_no_days_at_all_are_refused() -> None:
    with pytest.raises(CommandError, match="at least 1"):
        run("--days", "0")


def test_decisions_go_with_the_jobs_that_showed_them() -> None:
    old, shown = (
        BrokerageDecision.objects.create(
            at=NOW - dt.timedelta(weeks=5), site="", n_jobs=1, detail={}
        )
        for _ in range(2)
    )
    ended(4, decision=old)
    ended(0, decision=shown)

    run("--days", "110")

    assert BrokerageDecision.objects.get() == shown


def test_live_jobs_stay_however_old_they_are() -> None:
    create_job("running", at=NOW - dt.timedelta(weeks=9))
    not_moved = create_job("finished", at=NOW - dt.timedelta(weeks=9))

    run("--days", "1")

    assert Job.objects.filter(pk=not_moved.pk).exists()
    assert fsck.check() == []
