"""`pandasite login` and `pandasite task` against a real server."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from jobs import identity
from jobs.models import Task
from pandasite.cli import account, following
from tests.builders import NOW, create_site, create_transformation, create_user, create_vo
from tests.cli.calls import Call
from tests.tasks_engine.drive import fail_for_good, finish_jobs, live_jobs, rounds
from tests.tasks_engine.requests import evgen

SUBMIT = ("task", "submit", "-t", "evgen.py", "-n", "100", "--no-scouts", "--name", "mine")


def the_task() -> Task:
    return Task.objects.get()


def goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks the engine and the pilots work."""

    def work(_seconds: float) -> None:
        rounds()
        finish_jobs(live_jobs(the_task()))
        rounds()

    monkeypatch.setattr(following, "rest", work)


def test_three_commands_lead_from_nothing_to_a_task_that_is_done(
    live_server: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    create_vo()
    token = identity.new_token(create_user("alice"), days=1)
    goes_on(monkeypatch)
    # when
    login = call("login", live_server.url, stdin=f"{token}\n")
    submitted = call("task", "submit", "--transformation", "evgen.py", "--events", "100")
    followed = call("task", "show", "LAST", "--follow")
    # then
    assert (login.code, submitted.code, followed.code) == (0, 0, 0), followed.err
    assert "as alice" in login.err and token not in login.err + login.out
    assert stat.S_IMODE(account.path().stat().st_mode) == 0o600
    task = the_task()
    assert task.name.startswith("user.alice.evgen.")
    assert (task.events, task.spec["events_per_job"], task.state) == (100, 10, "done")
    assert task.spec["outputs"][0]["scope"] == "user.alice"
    assert "100/100 events" in followed.err
    assert "done" in followed.out


def test_a_token_that_the_server_does_not_know_is_not_kept(live_server: Any, call: Call) -> None:
    answer = call("login", live_server.url, stdin="x" * 64 + "\n")

    assert answer.code == 1
    assert not account.path().exists()


def test_what_is_wrong_is_said_field_by_field(alice: Any, call: Call) -> None:
    create_transformation("evgen.py")

    answer = call(*SUBMIT, "--vo", "cms", "--cores", "0", "--memory", "-1")
    unknown = call("task", "submit", "-t", "evgn.py", "-n", "1")

    assert (answer.code, unknown.code) == (1, 1)
    assert "core_count must be between 1 and 100000" in answer.err
    assert "memory_mb must be between 0 and" in answer.err
    assert "nearest: evgen.py" in unknown.err
    assert not Task.objects.exists()


def test_what_options_leave_open_and_nobody_can_guess_is_asked_for(alice: Any, call: Call) -> None:
    create_transformation("evgen.py")

    assert "the server knows evgen.py" in call("task", "submit").err
    no_events = call("task", "submit", "-t", "evgen.py")

    assert no_events.code == 2
    assert "--events" in no_events.err


def test_the_vo_is_that_of_most_sites_and_then_that_of_my_newest_task(
    alice: Any, call: Call
) -> None:
    create_site(vos=[create_vo("cms")])

    for more in ((), ("--vo", "atlas", "--name", "b"), ("--name", "c")):
        assert call("task", "submit", "-t", "evgen.py", "-n", "1", *more).code == 0

    used = Task.objects.order_by("pk").values_list("vo__name", flat=True)
    assert [*used] == ["cms", "atlas", "atlas"]
    assert call("who", "--json").json["vo"] == "atlas"


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_a_file_is_submitted_once_however_often_it_is_sent(
    alice: Any, call: Call, tmp_path: Path, kind: str
) -> None:
    # given
    file = tmp_path / f"task.{kind}"
    text = 'name = "mc09"\nvo = "atlas"\ntransformation = "evgen.py"\nevents = 9\n'
    toml = text + "events_per_job = 3\n"
    file.write_text(json.dumps({"tasks": [evgen()]}) if kind == "json" else toml)
    # when
    first, again = call("task", "submit", str(file)), call("task", "submit", str(file), "--json")
    both = call("task", "submit", str(file), "--events", "3")
    # then
    assert (first.code, again.code, both.code) == (0, 0, 2)
    assert again.json["tasks"][0]["task_id"] == the_task().pk
    assert "leave out events" in both.err


def test_a_dry_run_shows_the_request_and_sends_nothing(alice: Any, call: Call) -> None:
    answer = call(*SUBMIT, "--dry-run", "--suffix", ".npz")

    (said,) = answer.json["tasks"]
    assert said["outputs"][0]["lfn"] == "mine.${TASKID}._${SN}.npz"
    assert not Task.objects.exists()


def test_a_task_is_steered_by_its_name(alice: Any, call: Call) -> None:
    call(*SUBMIT)
    rounds()

    assert call("task", "pause", "mine", "-r", "the disk is full").code == 0
    assert the_task().state == "paused"
    assert the_task().state_reason == "the disk is full"
    assert call("task", "resume", "mine").code == 0
    assert call("task", "priority", "mine", "-5").code == 0
    assert the_task().priority == -5
    assert call("task", "finish", "mine").code == 0
    refused = call("task", "pause", "mine")
    assert (refused.code, call("task", "kill", "mine").code) == (1, 0)
    assert "may not become paused" in refused.err
    assert the_task().state == "aborting"
    assert call("task", "kill", "nobody").code == 1


def test_what_failed_is_tried_again_with_another_memory(alice: Any, call: Call) -> None:
    # given
    call(*SUBMIT)
    rounds()
    fail_for_good(the_task())
    rounds()
    # when
    answer = call("task", "retry", "LAST", "--change", "memory_mb=4000")
    # then
    assert answer.code == 0, answer.err
    assert the_task().spec["memory_mb"] == 4000
    assert call("task", "retry", "LAST", "-c", "memory_mb").code == 2


def test_lists_go_over_pages_and_are_json_for_programs(
    alice: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pandasite.cli.pages.PAGE", 2)
    for n in range(5):
        call(*SUBMIT[:-1], f"mine{n}")

    names = [task["name"] for task in call("task", "list", "--mine", "--json").json["tasks"]]
    told = call("task", "list", "--limit", "3").out

    assert names == ["mine4", "mine3", "mine2", "mine1", "mine0"]
    assert "mine2" in told and "mine1" not in told
    assert call("task", "list", "--state", "sleeping").code == 1
    assert call("task", "show", "mine3", "--json").json["name"] == "mine3"


def test_a_task_is_found_by_its_name_behind_many_that_begin_with_it(alice: Any, call: Call) -> None:
    call(*SUBMIT)
    later = [Task(name=f"mine.{n}", owner=alice, created_at=NOW) for n in range(101)]
    Task.objects.bulk_create(later)

    assert call("task", "show", "mine", "--json").json["name"] == "mine"


def test_following_a_task_that_is_killed_ends_badly(
    alice: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(*SUBMIT)

    def kill(_seconds: float) -> None:
        call("task", "kill", "mine", "-r", "wrong seed")
        rounds()

    monkeypatch.setattr(following, "rest", kill)
    answer = call("task", "show", "mine", "--follow")

    assert answer.code == 4
    assert "is aborted" in answer.err
