"""prodDB as a database of its own: its role, its router, its door, and when it is away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connections

from jobs.bamboo import cycle
from jobs.bamboo.turn import Limits
from jobs.models import BambooRound, Job
from jobs.proddb import door
from jobs.proddb.models import StateChange, TaskRequest
from jobs.proddb.router import ProdDbRouter
from jobs.tasks import bamboo
from pandasite.base import health
from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from pandasite.embedded.home import Home
from pandasite.embedded.keys import Keys
from pandasite.engines import Engines
from pandasite.environment import Environment
from tests.bamboo.production import a_cloud, ask, bring, definitions, request, turn
from tests.builders import NOW

both = pytest.mark.django_db(databases=["default", "proddb"])


# -- its own database -----------------------------------------------------------------------------


@both
def test_it_is_another_database_with_another_role() -> None:
    found = {}
    for alias in ("default", "proddb"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT current_database(), current_user")
            found[alias] = cursor.fetchone()

    assert found["default"][0] != found["proddb"][0]
    assert (found["default"][1], found["proddb"][1]) == ("pandasite", "proddb")


def test_its_role_may_not_enter_our_database() -> None:
    mine, ours = settings.DATABASES["proddb"], "pandasite"
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        psycopg2.connect(
            host=mine["HOST"], port=mine["PORT"], user=mine["USER"], password=mine["PASSWORD"],
            dbname=ours,
        )  # fmt: skip


def test_its_password_is_made_of_the_secrets_and_none_of_them() -> None:
    keys = Keys.new()

    assert keys.proddb_password == keys.proddb_password
    assert keys.proddb_password not in (keys.superuser_password, keys.database_password)
    assert keys.proddb_password != Keys.new().proddb_password


@pytest.mark.parametrize(
    ("db", "label", "may"),
    [
        ("proddb", "proddb", True),
        ("proddb", "jobs", False),
        ("default", "proddb", False),
        ("default", "jobs", True),
    ],
)
def test_tables_are_made_where_they_belong(db: str, label: str, may: bool) -> None:
    assert ProdDbRouter().allow_migrate(db, label) is may


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@db:5432/pandasite")
    monkeypatch.setenv("BROKER_URL", "redis://broker:6379/0")
    monkeypatch.setenv("SECRET_KEY", "x" * 60)


def engines(path: Path) -> Engines:
    return Engines.choose(Environment(), Home(path))


def test_in_production_it_is_what_proddb_url_names(
    production: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRODDB_URL", "postgres://prod:secret@oracle:5433/proddb")

    found = engines(tmp_path).proddb

    assert found is not None
    assert (found["HOST"], found["NAME"], found["USER"]) == ("oracle", "proddb", "prod")
    assert found["OPTIONS"]["connect_timeout"] == 5
    assert "statement_timeout" in found["OPTIONS"]["options"]


def test_in_production_without_it_bamboo_is_off(production: None, tmp_path: Path) -> None:
    assert engines(tmp_path).proddb is None


def test_a_url_of_another_kind_is_refused_without_its_password(
    production: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRODDB_URL", "oracle://prod:secret@oracle/x")

    with pytest.raises(ImproperlyConfigured, match="PRODDB_URL must start with") as refused:
        engines(tmp_path)
    assert "secret" not in str(refused.value)


# -- off, away ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_without_a_production_database_the_command_says_that_bamboo_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.proddb.door.available", lambda: False)

    with pytest.raises(CommandError, match="Bamboo is off"):
        call_command("bamboo")
    assert not BambooRound.objects.exists()


@both
def test_the_command_prints_what_each_step_did(capsys: pytest.CaptureFixture[str]) -> None:
    a_cloud()
    ask(2)

    call_command("bamboo", seed=1)

    said = capsys.readouterr().out
    assert "1. take           1 rows" in said
    assert "submitted 2 jobs" in said
    assert "left in prodDB: 0 tasks, 0 jobs" in said


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """prodDB refuses every connection."""

    def refuse(*_args: object, **_more: object) -> None:
        raise OperationalError("connection to server failed: no route\nwith more lines")

    monkeypatch.setattr(connections["proddb"], "cursor", refuse)
    yield


@both
def test_while_it_is_away_the_round_says_so_and_the_next_one_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_cloud()
    number = ask(2)
    turn()

    def refuse(*_args: object, **_more: object) -> None:
        raise door.Away("prodDB: connection to server failed: no route")

    with monkeypatch.context() as patch:
        patch.setattr("jobs.proddb.door.new_tasks", refuse)
        done = turn().round
    again = turn().round

    assert done is not None and again is not None
    assert (done.state, done.step) == ("trouble", "take")
    assert done.error == "prodDB: connection to server failed: no route"
    assert [s["trouble"] for s in done.steps[2:]] == [
        "left out: prodDB did not answer the step before"
    ] * 3
    assert again.state == "done"
    assert request(number).state == "SUBMITTED"
    assert StateChange.objects.filter(kind="job").count() == 2


@both
def test_a_step_that_breaks_off_is_made_good_by_the_next_cycle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """prodDB goes between our transaction and its own."""
    a_cloud()
    number = ask(3)

    def refuse(*_args: object, **_more: object) -> None:
        raise door.Away("prodDB: gone")

    with monkeypatch.context() as patch:
        patch.setattr("jobs.proddb.door.write_jobs", refuse)
        done = turn().round
    meanwhile = {row.state for row in definitions(number)}
    turn()

    assert done is not None and done.submitted == 3
    assert meanwhile == {"TOBEDONE"}
    assert {row.state for row in definitions(number)} == {"SUBMITTED"}
    assert Job.objects.count() == 3


@both
def test_an_error_of_the_driver_is_told_in_one_line_without_secrets(away: None) -> None:
    with pytest.raises(door.Away) as told, door.open_session():
        door.new_tasks(after=0, limit=1)

    assert str(told.value) == "prodDB: connection to server failed: no route"


@both
def test_the_sweep_books_trouble_without_being_late(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise door.Away("prodDB: gone")

    monkeypatch.setattr("jobs.proddb.door.new_tasks", refuse)
    bamboo()

    run = SweepRun.objects.get(name="jobs.bamboo")
    assert (run.ok, run.last_ok_at is not None) == (False, True)
    assert "prodDB: gone" in run.error


@both
def test_bamboo_in_trouble_makes_the_health_degraded_and_not_failed() -> None:
    SweepRun.objects.create(name="jobs.bamboo", ended_at=NOW, last_ok_at=NOW, ok=False)

    assert health.check_sweeps()["failing"] == ["jobs.bamboo"]
    assert "jobs.bamboo" not in health.check_sweeps()["ages"]


@both
def test_a_cycle_whose_time_is_over_leaves_the_rest() -> None:
    a_cloud()
    ask(1)

    report = cycle(limits=Limits(seconds=0))

    assert report.more
    assert report.round is not None and report.round.state == "more"
    assert not Job.objects.exists()


@both
def test_trouble_of_our_own_database_is_called_so_and_the_other_steps_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_cloud()
    number = ask(1)

    def refuse(*_args: object, **_more: object) -> None:
        raise OperationalError("canceling statement due to lock timeout\nCONTEXT: more lines")

    monkeypatch.setattr("jobs.bamboo.submit._refuse_strays", refuse)
    done = turn().round

    assert done is not None
    assert (done.state, done.step) == ("trouble", "submit")
    assert done.error == "the database of the site: canceling statement due to lock timeout"
    assert request(number).state == "SUBMITTED"


@both
@pytest.mark.parametrize("hours", [-1, 1])
def test_the_clock_of_prod_db_and_of_production_decides_nothing(hours: int) -> None:
    """What they write is kept as they wrote it, and compared with no clock of ours."""
    now = database_now()
    theirs = dt.timedelta(hours=hours)
    with connections["proddb"].cursor() as cursor:
        cursor.execute(SKEWED.format(hours=hours))
    a_cloud()
    number = ask(2)
    TaskRequest.objects.filter(pk=number).update(created_at=now + theirs)

    rounds = [turn().round]
    for job in Job.objects.filter(task__bamboo__request_id=number):
        bring(job, to="finished")
    rounds += [turn().round, turn().round]

    row, changes = request(number), StateChange.objects.filter(kind="task", subject_id=number)
    assert (row.state, row.jobs_finished) == ("DONE", 2)
    assert row.written_at is not None
    assert abs(row.written_at - now - theirs) < dt.timedelta(minutes=20)
    assert changes.filter(state="DONE").count() == 1
    assert [(r.submitted, r.state) for r in rounds if r] == [(2, "done"), (0, "done"), (0, "done")]
    assert [r.written for r in rounds if r][-1] == 0  # and nothing is written again


# Names without a schema are looked up there first; it is gone with the transaction of the test.
SKEWED = """
CREATE SCHEMA skewed;
CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  $$ SELECT pg_catalog.clock_timestamp() + interval '{hours} hours' $$;
SET LOCAL search_path = skewed, pg_catalog, public;
"""
