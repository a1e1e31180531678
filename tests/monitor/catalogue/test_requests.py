"""Requests for data on the pages: who may ask, for what, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from brokerage.models import VO
from datasets import services, sums
from datasets.models import Dataset, Subscription, Transfer
from datasets.states import DatasetState
from jobs.groups import OPERATORS
from monitor.catalogue.models import DataRequest
from pandasite.base.models import AuditLine
from tests.builders import (
    NOW,
    create_dataset,
    create_file,
    create_storage,
    create_user,
)
from tests.monitor.catalogue.test_datasets import facts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("catalogue.views", "catalogue.wantviews", "errors.acting"):
        monkeypatch.setattr(f"monitor.{name}.database_now", lambda: NOW)


@pytest.fixture
def operator(db: None) -> Client:
    user = create_user("olga")
    user.groups.add(Group.objects.get(name=OPERATORS))
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, **form: str) -> Any:
    usual = {"datasets": "mc09.a", "storage": "LPC", "reason": "for the workshop"}
    return client.post("/ddm-requests/new/send", usual | form)


def test_an_operator_has_a_dataset_brought(operator: Client) -> None:
    create_file(dataset=create_dataset("mc09.a"), at=[create_storage("BNL")])
    target = create_storage("LPC")

    answer = send(operator)

    assert answer.status_code == 200
    assert "Asked for 1 dataset at LPC" in answer.text
    wish = Subscription.objects.get()
    assert (wish.storage, wish.activity, wish.state) == (target, "requests", "open")
    assert Transfer.objects.count() == 1
    (row,) = facts(operator, "/ddm-requests/")["rows"]
    assert (row["user"], row["reason"], row["state"]) == ("olga", "for the workshop", "open")
    line = AuditLine.objects.get(action="ddm_request")
    assert (line.subject, line.facts["storage"]) == ("mc09.a", "LPC")
    assert facts(operator, "/subscriptions/")["rows"][0]["owner"] == "olga"


def test_many_datasets_take_as_many_statements_as_one(
    operator: Client, django_assert_max_num_queries: Any
) -> None:
    bnl, target = create_storage("BNL"), create_storage("LPC")
    VO.objects.create(name="atlas")
    names = [f"mc09.{number}" for number in range(20)]
    for name in names:
        create_file(f"{name}._1", dataset=create_dataset(name), at=[bnl])
    create_file("there", dataset=Dataset.objects.get(name=names[0]), at=[target])

    with django_assert_max_num_queries(40):
        answer = send(operator, datasets="\n".join(names), vo="atlas")

    assert answer.status_code == 200
    assert Transfer.objects.filter(vo="atlas", activity="requests").count() == 20
    assert set(Subscription.objects.values_list("vo", "state", "owner")) == {
        ("atlas", "open", "olga")
    }
    assert AuditLine.objects.filter(action="ddm_request").count() == 20


def test_what_is_wrong_stands_beside_its_field_and_what_was_filled_in_stays(
    operator: Client,
) -> None:
    create_file(dataset=create_dataset("mc09.a"), at=[create_storage("BNL")])
    create_storage("LPC")

    answer = send(operator, vo="cms")

    form = answer.context["form"]
    assert (answer.status_code, dict(form.errors)) == (400, {"vo": ["there is no VO cms"]})
    assert form["datasets"].value() == "mc09.a" and form["reason"].value() == "for the workshop"


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"datasets": "mc09.a\nmc09.none"}, 400, "there is no dataset mc09.none"),
        ({"datasets": " \n "}, 400, "datasets must be 1 to 20 names"),
        ({"datasets": "\n".join(f"d{n}" for n in range(21))}, 400, "not 21"),
        ({"storage": "NOWHERE"}, 400, "there is no storage element NOWHERE"),
        ({"vo": "nobody"}, 400, "there is no VO nobody"),
        ({"reason": " "}, 400, "reason must be given"),
        ({"datasets": "mc09.bad"}, 400, "mc09.bad was aborted: wrong tag"),
        ({"datasets": "mc09.erased"}, 400, "mc09.erased is erased"),
        ({"datasets": "mc09.all/"}, 400, "mc09.all/ is a container: subscribe the datasets in it"),
        ({"storage": "FULL"}, 409, "FULL has 0.5 GB free, the datasets have 1.0 GB"),
        ({"colour": "red"}, 400, "colour is not a known filter"),
    ],
    ids=["no dataset", "none", "too many", "no storage", "no vo", "no reason", "aborted", "erased",
         "container", "full", "unknown"],
)  # fmt: skip
def test_a_request_that_cannot_be_is_refused_whole(
    operator: Client, form: dict[str, str], status: int, words: str
) -> None:
    create_file(dataset=create_dataset("mc09.a"), at=[create_storage("BNL")], size=10**9)
    create_storage("LPC")
    create_storage("FULL", free_bytes=5 * 10**8)
    services.abort_datasets([create_dataset("mc09.bad").pk], reason="wrong tag", now=NOW)
    create_dataset("mc09.erased", state=DatasetState.ERASED)
    create_dataset("mc09.all/", type="container")
    sums.run(NOW)

    answer = send(operator, **form)

    assert answer.status_code == status
    assert words.lower() in answer.text.lower()
    assert not Subscription.objects.exists() and not DataRequest.objects.exists()


def test_others_may_look_but_not_ask(client: Client) -> None:
    create_file(dataset=create_dataset("mc09.a"), at=[create_storage("BNL")])
    create_storage("LPC")

    assert send(client).status_code == 403
    client.force_login(create_user("bob"))
    assert send(client).status_code == 403
    assert (
        "needs the permission datasets.add_subscription"
        in client.get("/ddm-requests/new/?dataset=mc09.a").text
    )
    assert not Subscription.objects.exists()
    assert "Nobody has asked for anything yet." in client.get("/ddm-requests/").text


def test_the_form_knows_the_dataset_that_was_looked_at(operator: Client) -> None:
    create_dataset("mc09.a")
    create_storage("LPC")

    link = "/ddm-requests/new/?dataset=mc09.a"

    assert f'href="{link}"' in operator.get("/datasets/mc09.a/").text
    text = " ".join(operator.get(f"{link}&storage=LPC").text.split())
    assert "mc09.a</textarea>" in text
    assert 'name="storage" value="LPC"' in text
    assert '<option value="LPC">' in text
