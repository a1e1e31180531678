"""The way of a task, from its request to its finished datasets."""

from __future__ import annotations

import pytest

from datasets.models import Dataset, DatasetFile
from jobs.models import Job, JobFile, Task, TaskPiece
from jobs.tasks_engine import cutting, engine, services
from tests.builders import (
    NOW,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_storage,
    create_transformation,
)
from tests.tasks_engine.drive import (
    fail_for_good,
    fail_jobs,
    finish_jobs,
    live_jobs,
    now_of,
    rounds,
    run_to_end,
    task_of,
)
from tests.tasks_engine.requests import evgen, registered, simul

pytestmark = pytest.mark.django_db
BY = {"actor": "alice", "now": NOW}


def states(task: Task) -> list[str]:
    return list(task.history.values_list("to_state", flat=True))


def filled(n: int, name: str = "data.RAW", **fields: object) -> Dataset:
    """A frozen dataset of so many files."""
    dataset = create_dataset(name, **{"state": "frozen"} | fields)
    se = create_storage()
    for i in range(n):
        create_file(f"{name}._{i:05d}", at=[se], dataset=dataset, events=50)
    return dataset


def test_a_task_goes_from_its_request_to_a_frozen_dataset():
    task = task_of(evgen())
    jobs = live_jobs(task)

    assert len(jobs) == 10
    assert jobs[1].job_parameters == "--seed=2 --first=11 --events=10 mc09.evgen._00002.root"
    run_to_end(task)

    ended = now_of(task)
    assert states(task) == [
        "registered", "defined", "ready", "running", "finishing", "done",
    ]  # fmt: skip
    assert (ended.pieces_done, ended.events_done, ended.events) == (10, 100, 100)
    assert Dataset.objects.get(name="mc09.evgen.EVNT").state == "frozen"
    assert DatasetFile.objects.filter(dataset__name="mc09.evgen.EVNT").count() == 10


def test_production_waits_for_a_cloud_and_its_jobs_go_there():
    task = task_of(evgen(prod_source_label="managed"))
    assert task.state == "assigning"

    services.assign_cloud(task, create_cloud("US"), reason="has room", **BY)
    rounds()

    assert {job.cloud.name for job in live_jobs(task)} == {"US"}


def test_what_has_gone_since_the_request_breaks_the_task_with_its_name():
    create_transformation("evgen.py").delete()
    task = registered(evgen())
    create_transformation("other.py")

    rounds()

    assert now_of(task).state == "broken"
    assert "transformation evgen.py is not known" in now_of(task).state_reason


def test_every_file_is_in_one_job():
    filled(5)
    task = task_of(simul("data.RAW"))

    jobs = live_jobs(task)
    files = list(JobFile.objects.filter(job__in=jobs, type="input").values_list("lfn", flat=True))
    assert [JobFile.objects.filter(job=j, type="input").count() for j in jobs] == [2, 2, 1]
    assert sorted(files) == [f"data.RAW._{i:05d}" for i in range(5)]
    assert jobs[0].job_parameters.startswith("--in=data.RAW._00000,data.RAW._00001 ")
    assert (now_of(task).inputs, now_of(task).events) == (5, 250)


def test_a_task_is_pending_until_there_is_input():
    dataset = create_dataset("later.RAW")
    task = task_of(simul("later.RAW"))
    assert task.state == "pending"

    create_file(dataset=dataset, at=[create_storage()])
    rounds()

    assert now_of(task).state == "running"
    assert len(live_jobs(task)) == 1


def test_secondary_files_are_taken_in_turn():
    filled(3, "data.RAW")
    filled(2, "minbias.HITS")
    task = task_of(
        simul(
            "data.RAW",
            files_per_job=1,
            secondary=[{"dataset": "minbias.HITS"}],
            job_parameters="${SECONDARY0}",
        )
    )

    said = [job.job_parameters for job in live_jobs(task)]
    assert said == ["minbias.HITS._00000", "minbias.HITS._00001", "minbias.HITS._00000"]
    assert JobFile.objects.filter(job__task=task, type="input").count() == 6


def test_scouts_are_measured_before_the_rest_is_made():
    task = task_of(evgen(scouts=True, n_scouts=2, memory_mb=4000))
    scouts = live_jobs(task)
    assert (task.state, len(scouts), scouts[0].min_ram_count) == ("scouting", 2, 4000)

    finish_jobs(scouts, rss=800, cpu=50, size=3 * 10**7)
    rounds()

    rest, after = live_jobs(task), now_of(task)
    assert after.measured["memory_mb"] == {"measured": 800, "factor": 1.25, "set": 1000}
    assert after.measured["cpu_s_per_event"] == {"measured": 5, "factor": 2.0, "set": 10}
    assert after.measured["output_mb_per_event"] == {"measured": 3, "factor": 1.5, "set": 4.5}
    assert len(rest) == 8
    assert {(j.min_ram_count, j.max_cpu_count, j.max_disk_count) for j in rest} == {(1000, 100, 45)}
    assert "1000 MB of memory (800 x 1.25)" in after.state_reason


def test_a_task_whose_scouts_all_fail_is_exhausted_and_may_be_tried_again():
    task = task_of(evgen(scouts=True, n_scouts=2, max_attempts=2))
    fail_for_good(task)
    rounds()
    assert now_of(task).state == "exhausted"

    again = services.retry_failed(task, reason="mended", changes={"memory_mb": 9000}, **BY)
    rounds()

    assert (again, now_of(task).state) == (2, "scouting")
    assert [job.min_ram_count for job in live_jobs(task)] == [9000, 9000]
    run_to_end(task)
    assert now_of(task).state == "done"


def test_a_failed_job_is_tried_up_to_the_limit_and_then_its_events_are_lost():
    task = task_of(evgen(max_attempts=2))
    first, *others = live_jobs(task)

    fail_jobs([first])
    rounds(1)
    piece = TaskPiece.objects.get(task=task, serial=1)
    successor = Job.objects.get(retry_of=first.pk)
    assert (piece.state, piece.panda_id, piece.tries) == ("submitted", successor.pk, 2)
    fail_jobs([successor])
    finish_jobs(others)
    rounds()

    ended = now_of(task)
    assert (ended.state, ended.pieces_done, ended.pieces_failed) == ("finished", 9, 1)
    assert ended.events_done == 90
    assert services.retry_failed(task, reason="again", **BY) == 1
    run_to_end(task)
    assert now_of(task).state == "done"


def test_a_job_that_somebody_tries_again_counts_for_its_task():
    task = task_of(evgen(events=20, max_attempts=1))
    first, second = live_jobs(task)
    fail_jobs([first])
    rounds(1)
    assert now_of(task).pieces_failed == 1

    successor = create_job(retry_of=first.pk, task=task)
    rounds(1)
    finish_jobs([successor, second])
    rounds()

    assert (now_of(task).state, now_of(task).pieces_done) == ("done", 2)


def test_a_name_that_is_taken_fails_its_piece_alone_and_the_task_says_so():
    create_file("mc09.evgen._00002.root", scope="mc09")
    task = task_of(evgen(events=30))

    assert len(live_jobs(task)) == 2
    assert TaskPiece.objects.get(task=task, state="failed").serial == 2
    assert "mc09.evgen._00002.root is in the catalogue" in task.history.last().reason
    run_to_end(task)
    assert now_of(task).state == "finished"


def test_a_large_task_has_so_many_jobs_under_way_and_no_more(monkeypatch):
    monkeypatch.setattr(cutting, "LIVE", 4)
    task = task_of(evgen())
    assert len(live_jobs(task)) == 4

    finish_jobs(live_jobs(task)[:3])
    rounds()

    assert len(live_jobs(task)) == 4
    assert now_of(task).pieces == 7
    run_to_end(task)
    assert (now_of(task).state, now_of(task).events_done) == ("done", 100)


def test_a_round_asks_for_another_one_while_it_has_left_news_and_no_longer(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(engine, "nudge", asked.append)
    monkeypatch.setattr(engine, "TASKS", 2)
    tasks = [registered(evgen(name=f"t{n}")) for n in range(3)]

    rounds(1)
    assert asked == ["jobs.tasks"]
    rounds(2)

    assert asked == ["jobs.tasks"]
    assert {now_of(task).state for task in tasks} == {"running"}
