"""Tags in the monitor: made by a form, listed, looked at, removed while unused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from jobs.models import Tag
from pandasite.base.models import AuditLine
from tests.builders import create_transformation, create_user
from tests.monitor.asking.test_task_forms import faults
from tests.tasks_engine.requests import evgen, registered

pytestmark = pytest.mark.django_db
E1 = {
    "name": "e1234", "transformation": "evgen.py", "job_parameters": "--seed ${N}",
    "description": "minimum bias", "reason": "mc09",
}  # fmt: skip
MAKE = "/new-tag/make"


@pytest.fixture
def manager(client: Client) -> Any:
    user = create_user("carol")
    user.user_permissions.add(*Permission.objects.filter(codename__in=["add_tag", "delete_tag"]))
    client.force_login(user)
    return user


def test_a_tag_is_made_listed_and_shown(client: Client, manager: Any) -> None:
    made = client.post(MAKE, E1)

    assert made.headers["Location"] == "/tags/e1234/"
    assert "minimum bias" in client.get("/tags/e1234/").text
    listed = client.get("/tags/?name=e1&format=json").json()["rows"]
    assert [(row["name"], row["made_by"]) for row in listed] == [("e1234", "carol")]
    assert client.get("/tags/?name=x&format=json").json()["rows"] == []
    assert client.get("/tags/?format=csv").text.startswith("name,transformation")
    assert AuditLine.objects.get().action == "tag_make"


def test_what_is_wrong_stands_beside_its_field(client: Client, manager: Any) -> None:
    create_transformation("evgen.py")

    wrong = client.post(MAKE, E1 | {"name": "a b", "transformation": ""})
    unknown = client.post(MAKE, E1 | {"transformation": "evgn.py"})
    silent = client.post(MAKE, E1 | {"reason": ""})
    client.post(MAKE, E1)
    taken = client.post(MAKE, E1 | {"job_parameters": ""})

    assert faults(wrong).keys() == {"name", "transformation"}
    assert "nearest: evgen.py" in faults(unknown)["transformation"]
    assert faults(silent).keys() == {"reason"}
    assert (taken.status_code, [*faults(taken)]) == (409, ["name"])
    assert Tag.objects.count() == 1


def test_an_unused_tag_is_removed_and_a_used_one_stays(client: Client, manager: Any) -> None:
    # given
    client.post(MAKE, E1)
    order = {"name": "e1234", "reason": "a typing error", "back": "/tags/"}
    # when
    assert "Remove the tag" in client.get("/tags/e1234/").text
    assert client.post("/new-tag/remove", order).status_code == 200
    assert client.get("/tags/e1234/").status_code == 404
    # and
    client.post(MAKE, E1)
    task = registered(evgen(tag="e1234", job_parameters=E1["job_parameters"]))
    page = client.get("/tags/e1234/")
    # then
    assert "Remove the tag" not in page.text and f"/tasks/{task.pk}/" in page.text
    assert client.post("/new-tag/remove", order).status_code == 409
    assert Tag.objects.exists()


def test_who_has_no_right_looks_only(client: Client) -> None:
    client.force_login(create_user("bob"))

    assert "jobs.add_tag" in client.get("/new-tag/").text
    assert client.post(MAKE, E1).status_code == 403
    assert client.post("/new-tag/remove", {"name": "e1", "reason": "r"}).status_code == 403
    assert not Tag.objects.exists()
