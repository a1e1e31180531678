"""Tasks that read what others make, and outputs that are merged."""

from __future__ import annotations

import pytest

from datasets.models import DatasetFile
from jobs.models import JobFile, TaskInput, TaskPiece
from jobs.tasks_engine import engine, feeding, services
from tests.builders import NOW, create_cloud, create_site
from tests.tasks_engine.drive import (
    fail_for_good,
    finish_jobs,
    live_jobs,
    now_of,
    rounds,
    run_to_end,
    task_of,
)
from tests.tasks_engine.requests import evgen, simul

pytestmark = pytest.mark.django_db
MERGE = {
    "transformation": "merge.py",
    "job_parameters": "${INPUTS} > ${OUTPUT0}",
    "dataset": "mc09.evgen.merged",
    "scope": "mc09",
    "lfn": "merged._${SN}.root",
    "files_per_job": 4,
}


def test_a_child_begins_while_its_parent_works_and_ends_after_it():
    parent = task_of(evgen(events=40))
    child = task_of(simul("mc09.evgen.EVNT", parent="mc09.evgen"))
    assert child.state == "pending"

    finish_jobs(live_jobs(parent)[:3])
    rounds()
    # two of three files make a job; the third waits for a companion
    assert now_of(child).state == "running"
    first = live_jobs(child)
    assert len(first) == 1
    finish_jobs(first)
    rounds()
    assert now_of(child).state == "running"
    run_to_end(parent, child)

    assert [now_of(t).state for t in (parent, child)] == ["done", "done"]
    assert now_of(child).inputs_done == 4
    assert TaskInput.objects.filter(task=child).count() == 4
    assert parent.history.last().pk < child.history.last().pk


def test_a_child_of_a_task_that_made_nothing_has_nothing_to_do():
    parent = task_of(evgen(max_attempts=1))
    child = task_of(simul("mc09.evgen.EVNT"))

    fail_for_good(parent)
    rounds(3)

    assert [now_of(t).state for t in (parent, child)] == ["failed", "failed"]
    assert "there was nothing to do" in now_of(child).state_reason


def test_merging_is_done_at_the_tier1_and_reads_each_file_once():
    cloud = create_cloud("US")
    tier1 = create_site("BNL", cloud=cloud)
    cloud.tier1 = tier1
    cloud.save()
    task = task_of(evgen(cloud="US", merge=MERGE))

    finish_jobs(live_jobs(task)[:5])
    rounds()
    merging = [job for job in live_jobs(task) if job.transformation == "merge.py"]
    assert [job.computing_site for job in merging] == [tier1]
    run_to_end(task)

    ended = now_of(task)
    assert (ended.state, ended.merges, ended.merges_done) == ("done", 3, 3)
    merged = JobFile.objects.filter(job__transformation="merge.py", type="input")
    assert merged.count() == merged.values("lfn").distinct().count() == 10
    assert DatasetFile.objects.filter(dataset__name="mc09.evgen.merged").count() == 3


def test_what_is_done_is_merged_when_its_task_is_told_to_finish(monkeypatch):
    task = task_of(evgen(merge=MERGE))
    finish_jobs(live_jobs(task)[:6])
    # one merge of four files is cut by then, and has no job yet
    monkeypatch.setattr(engine, "_make", lambda *_: None)
    rounds(1)
    monkeypatch.undo()
    assert TaskPiece.objects.get(task=task, stage="merge").state == "planned"

    services.finish(task, reason="enough", actor="alice", now=NOW)
    run_to_end(task)

    ended = now_of(task)
    assert (ended.state, ended.pieces_done, ended.pieces_failed) == ("finished", 6, 4)
    assert (ended.merges, ended.merges_done) == (2, 2)
    assert DatasetFile.objects.filter(dataset__name="mc09.evgen.merged").count() == 2
    merged = JobFile.objects.filter(job__transformation="merge.py", type="input")
    assert merged.values("lfn").distinct().count() == 6


def test_a_task_does_not_end_before_all_that_it_made_is_listed_to_be_merged(monkeypatch):
    task = task_of(evgen(events=30, merge=MERGE))
    finish_jobs(live_jobs(task))

    with monkeypatch.context() as others:  # who take what one statement lists
        others.setattr(feeding, "MOST", 0)
        rounds(2)
        assert now_of(task).state == "running"
    run_to_end(task)

    assert (now_of(task).state, now_of(task).merges_done) == ("done", 1)
