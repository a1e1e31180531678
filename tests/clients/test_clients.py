"""PanDA's own client, unmodified: prun sends tasks that our pilots run, pbook steers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobs.models import DebugMode
from tests.clients.grid import USER
from tests.flow.installation import eventually

if TYPE_CHECKING:
    from tests.clients.sent import Sent

pytestmark = pytest.mark.clients
SECONDS = 300.0  # for a step on the way, on a busy machine


def test_prun_without_input_runs_three_jobs_with_the_sandbox(sent: Sent) -> None:
    task = sent.tasks["plain"]

    sent.site.await_state(task, "done")

    assert sent.site.outputs(task) == {
        f"user.{USER}.{task}._00000{n}.out.txt": b"hello world\n" for n in (1, 2, 3)
    }


def test_prun_with_an_input_dataset_reads_two_files_per_job(sent: Sent) -> None:
    ended = sent.site.await_state(sent.tasks["input"], "done")

    assert list(sent.site.outputs(ended.pk).values()) == [b"1\n2\n", b"3\n4\n"]
    assert (ended.inputs, ended.inputs_done, ended.pieces) == (4, 4, 2)


def test_prun_with_a_build_runs_what_was_built(sent: Sent) -> None:
    task = sent.tasks["build"]

    sent.site.await_state(task, "done")

    build, *runs = sent.site.jobs(task)
    assert (build.processing_type, len(runs)) == ("build", 2)
    assert min(job.creation_time for job in runs) >= build.end_time
    outputs = sent.site.outputs(task)
    library = outputs.pop(f"user.{USER}.build.{task}.lib.tgz")
    assert library.startswith(b"\x1f\x8b")
    assert list(outputs.values()) == [b"made of the source\n"] * 2


def test_prun_counts_up_from_what_rndm_says(sent: Sent) -> None:
    task = sent.tasks["rndm"]

    sent.site.await_state(task, "done")

    assert list(sent.site.outputs(task).values()) == [b"seed 11\n", b"seed 12\n", b"seed 13\n"]


def test_pbook_shows_a_task_and_kills_it_and_nobody_elses(sent: Sent) -> None:
    task, user, site = sent.tasks["kill"], sent.users["kill"], sent.site
    eventually(
        lambda: any(job.state == "running" for job in site.jobs(task)),
        seconds=SECONDS,
        what=lambda: site.story(task),
    )
    shown = user.pbook("show", task)
    assert str(task) in shown and f"user.{USER}.kill" in shown

    (job,) = site.jobs(task)
    user.pbook("debug", job.pk, "True")
    with site.books():
        assert DebugMode.objects.get(pk=job.pk).on

    stranger = site.user("stranger", token="stranger")
    assert f"there is no task {task} of yours" in stranger.pbook("kill", task)
    assert site.task(task).state in ("scouting", "running")

    user.pbook("kill", task)
    site.await_state(task, "aborted")
    (job,) = site.jobs(task)
    assert job.state == "cancelled"


def test_pbook_retries_a_task_as_it_is_and_with_new_parameters(sent: Sent) -> None:
    task, user, site = sent.tasks["retry"], sent.users["retry"], sent.site
    site.await_state(task, "exhausted")  # all of its scouts failed
    assert [job.state for job in site.jobs(task)] == ["failed"] * 2

    user.pbook("retry", task)
    eventually(lambda: len(site.jobs(task)) == 4, seconds=SECONDS, what=lambda: site.story(task))
    site.await_state(task, "exhausted")

    user.pbook("retry", task, "--nFilesPerJob=1")
    site.await_state(task, "done")
    assert list(site.outputs(task).values()) == [b"1\n", b"2\n", b"3\n", b"4\n"]


def test_pbook_finishes_a_task_with_what_it_has(sent: Sent) -> None:
    task, site = sent.send("finish"), sent.site
    eventually(
        lambda: site.task(task).pieces_done > 0, seconds=SECONDS, what=lambda: site.story(task)
    )

    sent.users["finish"].pbook("finish", task)

    ended = site.await_state(task, "finished")
    assert 0 < ended.pieces_done < 40
    assert len(site.outputs(task)) == ended.pieces_done
