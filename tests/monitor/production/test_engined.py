"""Tasks that the engine carries: their list, their page, and what is done to them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from jobs.models import Task
from jobs.tasks_engine import engine, services
from pandasite.base.models import AuditLine
from tests.builders import NOW, create_user, create_vo
from tests.monitor.tables import tables, texts
from tests.tasks_engine.drive import fail_for_good, finish_jobs, live_jobs, now_of, task_of
from tests.tasks_engine.requests import evgen, registered, simul

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.production.views.database_now", lambda: NOW)


def scouted() -> Task:
    """A task whose two scouts have finished."""
    task = task_of(evgen(scouts=True, n_scouts=2, campaign="mc09c", priority=700))
    finish_jobs(live_jobs(task), rss=800, cpu=50)
    engine.run(NOW)
    return now_of(task)


def test_the_list_shows_the_state_and_the_progress_of_the_engine(client: Client) -> None:
    task = scouted()
    waiting = registered(evgen(name="data09.x"))

    rows = client.get("/tasks/?format=json").json()["rows"]

    assert [(row["task_id"], row["state"]) for row in rows] == [
        (waiting.pk, "registered"),
        (task.pk, "running"),
    ]
    assert (rows[1]["events"], rows[1]["priority"], rows[1]["campaign"]) == (20, 700, "mc09c")

    def found(query: str) -> list[int]:
        return [row["task_id"] for row in client.get(f"/tasks/?format=json&{query}").json()["rows"]]

    assert found("status=registered") == [waiting.pk]
    assert found("campaign=mc09c") == [task.pk]
    assert found("status=exhausted") == []


def test_the_page_shows_progress_scouts_history_and_chain(client: Client) -> None:
    task = scouted()
    child = task_of(simul("mc09.evgen.EVNT", parent="mc09.evgen"))

    page = client.get(f"/tasks/{task.pk}/")
    body = " ".join(page.content.decode().split())

    assert "waits for 8 of 10 pieces of work" in body
    assert "20 of 100 done" in body
    assert f'<a href="/tasks/{child.pk}/">mc09.simul</a>' in body
    scouts = [texts(row) for row in tables(page.content.decode())["scouts"]]
    assert scouts[1:3] == [
        ["Memory (MB)", "800", "1.25", "1000"],
        ["CPU time (s per event)", "5.0", "2.0", "10.0"],
    ]
    assert "2 of 2 scouts finished" in body
    told = client.get(f"/tasks/{task.pk}/?format=json").json()
    assert (told["state"], told["engine"]["progress"]["events_done"]) == ("running", 20)


def test_a_task_that_only_groups_jobs_has_no_part_of_the_engine(client: Client) -> None:
    grouping = Task.objects.create(name="mine", owner=create_user(), created_at=NOW)

    assert client.get(f"/tasks/{grouping.pk}/?format=json").json()["engine"] is None
    assert "History" not in client.get(f"/tasks/{grouping.pk}/").content.decode()


def test_deeds_are_offered_to_those_who_may_and_done_with_a_reason(client: Client) -> None:
    task = scouted()
    page, ask, do = (f"/tasks/{task.pk}/{rest}" for rest in ("", "act?action=", "act/do"))
    assert "act?action" not in client.get(page).content.decode()
    client.force_login(create_user("stranger"))
    assert client.get(f"{ask}kill").status_code == 404
    operator = create_user("operator")
    operator.user_permissions.add(Permission.objects.get(codename="manage_any_task"))
    client.force_login(operator)

    offered = client.get(page).content.decode()
    for name in ("kill", "finish", "retry", "pause", "priority"):
        assert f"action={name}" in offered
        assert client.get(ask + name).status_code == 200
    assert "action=resume" not in offered
    assert client.post(do, {"action": "pause", "reason": " "}).status_code == 400
    answer = client.post(do, {"action": "pause", "reason": "storage is full"})

    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    assert now_of(task).state == "paused"
    assert task.history.last().reason == "storage is full"
    assert AuditLine.objects.get().actor_name == "operator"
    assert client.get(f"{ask}dance").status_code == 400
    assert client.post(do, {"action": "pause", "reason": "again"}).status_code == 409
    client.post(do, {"action": "priority", "priority": "900", "reason": "x"})
    assert now_of(task).priority == 900


def test_a_retry_shows_how_much_it_tries_and_changes_what_was_changed_on_its_page(
    client: Client,
) -> None:
    task = task_of(evgen(max_attempts=1, memory_mb=1000, job_parameters="--a\n--b ${OUTPUT0}"))
    finish_jobs(live_jobs(task)[:7])
    fail_for_good(task)
    engine.run(NOW)
    client.force_login(task.owner)
    do = f"/tasks/{task.pk}/act/do"

    page = client.get(f"/tasks/{task.pk}/act?action=retry").content.decode()
    asked = {"action": "retry", "reason": "more memory", "initial-memory_mb": "1000"}
    wrong = client.post(do, asked | {"memory_mb": "-5", "site": "NOWHERE"})
    done = client.post(do, asked | {"memory_mb": "4000", "initial-wall_s": "60", "wall_s": "60"})

    assert "3 pieces of 10 failed or were left out" in page
    assert 'name="memory_mb" value="1000"' in page and 'name="initial-memory_mb"' in page
    assert wrong.status_code == 400
    assert 'id="id_memory_mb_error"' in wrong.content.decode()
    assert "more memory" in wrong.content.decode()
    assert done.status_code == 302
    after = now_of(task)
    assert (after.state, after.spec["memory_mb"], after.spec["wall_s"]) == ("running", 4000, 0)
    assert after.spec["job_parameters"] == task.spec["job_parameters"]
    assert after.history.last().reason == "tries 3 of 10 pieces of work again: more memory"
    assert AuditLine.objects.get().facts["changes"] == {"memory_mb": 4000}


def test_the_browser_counts_tasks_of_the_engine_by_campaign(client: Client) -> None:
    create_vo()
    scouted()
    broken = registered(evgen(name="mc09.b", campaign="mc09c"))
    services.refuse(broken, reason="no such tag", actor="bamboo", now=NOW)

    (group,) = client.get("/tasks/browser/?format=json").json()["rows"]

    assert (group["value"], group["tasks"], group["active"]) == ("mc09c", 2, 1)
    assert group["failed_tasks"] == 1


def test_quick_search_knows_the_states_of_tasks(client: Client) -> None:
    answer = client.get("/search", {"q": "exhausted"})

    assert answer.headers["Location"] == "/tasks/?status=exhausted"
