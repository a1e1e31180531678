"""PanDA's own client, unmodified: prun sends tasks that our pilots run, pbook steers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobs.models import DebugMode
from tests.clients.grid import DATASET, QUEUE, USER
from tests.flow.installation import eventually

if TYPE_CHECKING:
    from tests.clients.site import ClientSite

pytestmark = pytest.mark.clients
ONCE = ("--outputs", "out.txt", "--maxAttempt", "1")


def name(task: str) -> str:
    return f"user.{USER}.{task}"


def test_prun_without_input_runs_three_jobs_with_the_sandbox(site: ClientSite) -> None:
    user = site.user("plain")
    (user.work / "hello.sh").write_text('echo "hello $1" > out.txt\n')

    task = user.prun(
        "--exec", "bash hello.sh world", "--nJobs", "3", "--noBuild", "--site", QUEUE,
        "--outDS", name("plain"), "--outputs", "out.txt",
    )  # fmt: skip

    site.await_state(task, "done")
    assert site.outputs(task) == {
        f"user.{USER}.{task}._00000{n}.out.txt": b"hello world\n" for n in (1, 2, 3)
    }


def test_prun_with_an_input_dataset_reads_two_files_per_job(site: ClientSite) -> None:
    user = site.user("input")

    task = user.prun(
        "--exec", "cat $(echo %IN | tr , ' ') > out.txt", "--inDS", DATASET, "--noBuild",
        "--nFilesPerJob", "2", "--outDS", name("input"), *ONCE,
    )  # fmt: skip

    ended = site.await_state(task, "done")
    assert list(site.outputs(task).values()) == [b"1\n2\n", b"3\n4\n"]
    assert (ended.inputs, ended.inputs_done, ended.pieces) == (4, 4, 2)


def test_prun_with_a_build_runs_what_was_built(site: ClientSite) -> None:
    user = site.user("build")
    (user.work / "source.txt").write_text("made of the source\n")

    task = user.prun(
        "--exec", "cat built/product.txt > out.txt", "--nJobs", "2",
        "--bexec", "mkdir built; cp source.txt built/product.txt",
        "--outDS", name("build"), *ONCE,
    )  # fmt: skip

    site.await_state(task, "done")
    build, *runs = site.jobs(task)
    assert (build.processing_type, len(runs)) == ("build", 2)
    assert min(job.creation_time for job in runs) >= build.end_time
    library, *outputs = sorted(site.outputs(task).items())
    assert library[0] == f"{name('build')}.{task}.lib.tgz"
    assert [content for _, content in outputs] == [b"made of the source\n"] * 2


def test_prun_counts_up_from_what_rndm_says(site: ClientSite) -> None:
    user = site.user("rndm")

    task = user.prun(
        "--exec", "echo seed %RNDM=10 > out.txt", "--nJobs", "3", "--noBuild",
        "--outDS", name("rndm"), *ONCE,
    )  # fmt: skip

    site.await_state(task, "done")
    assert list(site.outputs(task).values()) == [b"seed 11\n", b"seed 12\n", b"seed 13\n"]


def test_pbook_shows_a_task_and_kills_it_and_nobody_elses(site: ClientSite) -> None:
    user = site.user("kill")
    task = user.prun(
        "--exec", "sleep 600; echo > out.txt", "--noBuild", "--outDS", name("kill"), *ONCE
    )
    eventually(
        lambda: any(job.state == "running" for job in site.jobs(task)),
        seconds=200.0,
        what=lambda: site.story(task),
    )
    shown = user.pbook("show", task)
    assert str(task) in shown and "running" in shown and name("kill") in shown

    (job,) = site.jobs(task)
    assert "is on" in user.pbook("debug", job.pk, "True")
    with site.books():
        assert DebugMode.objects.get(pk=job.pk).on

    stranger = site.user("stranger", token="stranger")
    assert f"there is no task {task} of yours" in stranger.pbook("kill", task)
    assert site.task(task).state == "running"

    user.pbook("kill", task)
    site.await_state(task, "aborted")
    (job,) = site.jobs(task)
    assert job.state == "cancelled"


def test_pbook_finishes_a_task_with_what_it_has(site: ClientSite) -> None:
    user = site.user("finish")
    task = user.prun(
        "--exec", "sleep 2; echo > out.txt", "--nJobs", "40", "--noBuild",
        "--outDS", name("finish"), *ONCE,
    )  # fmt: skip
    eventually(
        lambda: site.task(task).pieces_done > 0, seconds=200.0, what=lambda: site.story(task)
    )

    user.pbook("finish", task)

    ended = site.await_state(task, "finished")
    assert 0 < ended.pieces_done < 40
    assert len(site.outputs(task)) == ended.pieces_done


def test_pbook_retries_a_task_as_it_is_and_with_new_parameters(site: ClientSite) -> None:
    user = site.user("retry")
    (user.work / "one.sh").write_text(
        'case $1 in *,*) echo "one file, please" >&2; exit 3;; esac\ncat "$1" > out.txt\n'
    )
    task = user.prun(
        "--exec", "bash one.sh %IN", "--inDS", DATASET, "--nFilesPerJob", "2", "--noBuild",
        "--outDS", name("retry"), *ONCE,
    )  # fmt: skip
    site.await_state(task, "exhausted")
    assert [job.state for job in site.jobs(task)] == ["failed"] * 2

    user.pbook("retry", task)
    eventually(lambda: len(site.jobs(task)) == 4, seconds=150.0, what=lambda: site.story(task))
    site.await_state(task, "exhausted")

    user.pbook("retry", task, "--nFilesPerJob=1")
    site.await_state(task, "done")
    assert list(site.outputs(task).values()) == [b"1\n", b"2\n", b"3\n", b"4\n"]
