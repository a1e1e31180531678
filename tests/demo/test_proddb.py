"""The demo's production manager: what it writes into prodDB, and what it makes of the answers."""

from __future__ import annotations

import pytest

from jobs.bamboo.specs import FIXED
from jobs.proddb.models import JobDefinition, TaskRequest
from pandasite.demo import proddb
from pandasite.demo.productions import Production, productions
from pandasite.demo.wave import Wave
from tests.builders import NOW

WAVE = Wave(number=7)
pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


def asked_for() -> list[Production]:
    return [part for part in productions(WAVE) if part.request]


def ask() -> None:
    for part in asked_for():
        proddb.ask_for(part, now=NOW)


def test_three_productions_enter_through_prod_db_and_users_over_rest() -> None:
    over_rest = [part.key for part in productions(WAVE) if not part.request]

    assert [part.request.split(".")[1] for part in asked_for()] == ["evgen", "merge", "charmm"]
    assert over_rest == ["demo-w00007-analysis", "demo-w00007-faulty"]


def test_a_production_is_asked_for_once_however_often_the_demo_begins() -> None:
    ask()
    ask()

    assert TaskRequest.objects.count() == 3
    assert JobDefinition.objects.count() == sum(len(part.jobs) for part in asked_for())


def test_a_definition_says_nothing_twice() -> None:
    ask()

    for row in JobDefinition.objects.all():
        assert not FIXED & row.details.keys()


def test_event_generation_names_no_cloud_and_is_urgent_enough_for_the_fast_track() -> None:
    ask()

    row = TaskRequest.objects.get(processing_type="evgen")
    assert (row.cloud, row.priority > 700) == ("", True)


def test_the_wave_is_done_when_prod_db_says_so_of_every_task() -> None:
    ask()
    TaskRequest.objects.update(state="DONE", jobs_total=1, jobs_finished=1, given_cloud="US")
    done = proddb.is_done(WAVE)
    TaskRequest.objects.filter(processing_type="merge").update(state="FINISHED", reason="lost")

    assert done
    assert not proddb.is_done(WAVE)
    assert proddb.has_heard(WAVE)
    assert "prodDB      demo.merge.w00007 FINISHED, 1 of 1 jobs in cloud US: lost" in (
        proddb.summary(WAVE)
    )


def test_a_task_that_nobody_asked_for_is_not_done() -> None:
    assert not proddb.is_done(WAVE)
