"""The demo's production manager: what it writes into prodDB, and what it makes of the answers."""

from __future__ import annotations

import pytest

from jobs.bamboo.specs import FIXED
from jobs.models import Job
from jobs.proddb.models import JobDefinition, TaskRequest
from jobs.tasks_engine import engine, services
from jobs.tasks_engine.spec import spec_from
from pandasite.demo import proddb
from pandasite.demo.grid import CMT_CONFIG, GENERATION
from pandasite.demo.productions import HOME_STORAGE, Production, productions
from pandasite.demo.wave import Wave
from tests.builders import (
    NOW,
    create_cloud,
    create_site,
    create_storage,
    create_user,
    create_vo,
    install,
)

WAVE = Wave(number=7)
SAME = (
    "job_parameters", "transformation", "atlas_release", "homepackage", "cmt_config",
    "min_ram_count", "max_disk_count", "max_cpu_count",
)  # fmt: skip
pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


def asked_for() -> list[Production]:
    return [part for part in productions(WAVE) if part.request]


def ask() -> None:
    for part in asked_for():
        proddb.ask_for(part, now=NOW)


def test_three_productions_enter_through_prod_db_and_users_over_rest() -> None:
    over_rest = [part.key for part in productions(WAVE) if not part.request]

    assert [part.request for part in asked_for()] == [
        "demo.w00007.evgen", "demo.merge.w00007", "demo.charmm.w00007",
    ]  # fmt: skip
    assert over_rest == ["demo-w00007-analysis", "demo-w00007-faulty"]


def test_a_production_is_asked_for_once_however_often_the_demo_begins() -> None:
    ask()
    ask()

    assert TaskRequest.objects.count() == 3
    defined = [part for part in asked_for() if not part.parameters]
    assert JobDefinition.objects.count() == sum(len(part.jobs) for part in defined)
    assert [part.request for part in asked_for() if part.parameters] == ["demo.w00007.evgen"]


def test_the_engine_makes_the_jobs_of_event_generation_that_the_demo_expects() -> None:
    create_vo()
    create_storage(HOME_STORAGE)
    create_cloud("US")
    install(create_site("BNL_ATLAS_1"), GENERATION, CMT_CONFIG)
    part = next(part for part in asked_for() if part.parameters)
    assert part.parameters is not None
    said = part.parameters | {"name": part.request, "vo": "atlas", "priority": part.priority,
                              "processing_type": "evgen", "cloud": "US",
                              "prod_source_label": "managed"}  # fmt: skip
    task = services.register(
        spec_from(said, owner=create_user("manager").username), actor="bamboo", now=NOW
    )
    for _ in range(2):
        engine.run(NOW)

    wanted = {job.name: job.submission for job in part.jobs}
    made = {job.job_name: job for job in Job.objects.filter(task=task)}
    assert made.keys() == wanted.keys()
    for name, job in made.items():
        outputs = [
            {"lfn": file.lfn, "scope": file.scope, "dataset": file.dataset.name}
            for file in job.files.filter(type="output")
        ]
        assert outputs == wanted[name]["output_files"]
        for column in SAME:
            assert getattr(job, column) == wanted[name][column], column
        assert job.destination_se and job.destination_se.name == HOME_STORAGE


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
