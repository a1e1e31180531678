"""Calls of PanDA's client as it makes them: JSON and GET with text, by a user of a VO."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from jobs.models import Task
from tests.builders import create_dataset, create_file, create_storage, create_vo
from tests.panda.calls import JSON, told
from tests.panda.prun import sample
from tests.tasks_engine.drive import rounds


def post(path: str, values: dict[str, Any], *, by: str) -> dict[str, Any]:
    answer = Client().post(
        f"/api/v1/{path}",
        json.dumps(values),
        content_type=JSON,
        HTTP_AUTHORIZATION=f"Bearer {by}",
        HTTP_ORIGIN="chemvo",
    )
    assert answer.status_code == 200, answer.content
    return told(answer)


def ask(path: str, *, by: str, **values: Any) -> dict[str, Any]:
    answer = Client().get(
        f"/api/v1/{path}", values, HTTP_AUTHORIZATION=f"Bearer {by}", HTTP_ORIGIN="chemvo"
    )
    assert answer.status_code == 200, answer.content
    return told(answer)


def submit(by: str, name: str = "no_input", **changes: Any) -> dict[str, Any]:
    create_vo("chemvo")
    changes = {"site": None, "skipScout": True} | changes
    given = sample(name, **changes)
    return post("task/submit", {"task_parameters": given, "parent_tid": None}, by=by)


def task_of(by: str, name: str = "no_input", **changes: Any) -> Task:
    answer = submit(by, name, **changes)
    assert answer["success"], answer["message"]
    rounds()
    return Task.objects.get(pk=answer["data"])


def numbers() -> None:
    dataset = create_dataset("user.jdoe.input", state="frozen")
    for n in range(4):
        create_file(f"n{n}.txt", at=[create_storage()], dataset=dataset, events=1000)
