"""/rest/v1/subscriptions: datasets are wished for, and wished for no longer."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from datasets.models import CallbackTarget, File, Subscription, Transfer
from pandasite.base.models import AuditLine
from tests.api.calls import person, problem
from tests.api.test_data import SUBSCRIPTIONS, post
from tests.builders import NOW, create_dataset, create_file, create_storage, create_user

pytestmark = pytest.mark.django_db


def wish(who, **more):
    body = {"dataset": "user.alice.d", "storage": "BNL_DISK"} | more
    return who.post(SUBSCRIPTIONS, body)


def given_dataset() -> None:
    create_storage("BNL_DISK")
    create_file(dataset=create_dataset("user.alice.d"))


def test_a_dataset_is_wished_for_and_wished_for_no_longer():
    given_dataset()
    alice = person()

    made = wish(alice, priority=5).json()

    assert (made["state"], made["owner"], made["files"]) == ("open", "alice", 1)
    transfer = Transfer.objects.get()
    assert (transfer.state, transfer.priority, transfer.activity) == ("queued", 5, "user")
    over = post(alice, f"{SUBSCRIPTIONS}/{made['id']}/cancel", {"reason": "wrong site"}, 200)
    assert (over["state"], over["reason"]) == ("given_up", "cancelled by alice: wrong site")
    transfer.refresh_from_db()
    assert transfer.state == "failed"
    line = AuditLine.objects.get()
    assert (line.action, line.actor_name, line.reason) == (
        "subscription_cancel",
        "alice",
        "wrong site",
    )
    again = alice.post(f"{SUBSCRIPTIONS}/{made['id']}/cancel", {"reason": "x"})
    problem(again, 409, "illegal_transition")


def test_the_same_wish_again_is_the_first_one():
    given_dataset()
    alice = person()

    first, second = wish(alice), wish(alice, priority=9)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    assert Transfer.objects.count() == 1


def test_what_is_asked_for_again_is_on_the_terms_of_the_first_wish():
    given_dataset()
    alice = person()
    wish(alice, priority=5)
    Transfer.objects.update(state="failed", ended_at=NOW)

    wish(alice, priority=9, activity="production")

    again = Transfer.objects.get(state="queued")
    assert (again.priority, again.activity) == (5, "user")


def test_a_raised_priority_reaches_the_queued_transfers_and_is_noted():
    given_dataset()
    alice = person()
    number = wish(alice).json()["id"]

    body = {"priority": 700, "reason": "conference"}
    changed = post(alice, f"{SUBSCRIPTIONS}/{number}/priority", body, 200)

    assert changed["priority"] == 700
    assert Transfer.objects.get().priority == 700
    assert AuditLine.objects.get().facts == {"from": 0, "to": 700}


def test_a_cancelled_wish_leaves_transfers_that_another_one_needs():
    given_dataset()
    alice, storage = person(), "BNL_DISK"
    other = create_dataset("user.alice.other")
    other.files.add(File.objects.get())
    number = wish(alice).json()["id"]
    assert wish(alice, dataset="user.alice.other", storage=storage).status_code == 201

    post(alice, f"{SUBSCRIPTIONS}/{number}/cancel", {"reason": "x"}, 200)

    assert Transfer.objects.get().state == "queued"


def test_only_the_owner_or_who_has_the_right_changes_a_subscription():
    given_dataset()
    number = wish(person()).json()["id"]
    path, body = f"{SUBSCRIPTIONS}/{number}/cancel", {"reason": "mine"}

    problem(person("mallory").post(path, body), 403, "not_owner")

    carol = create_user("carol")
    carol.user_permissions.add(Permission.objects.get(codename="change_subscription"))
    post(person("carol"), path, body, 200)


NOT_WANTED = {
    "a container": ({"type": "container"}, "is a container: subscribe the datasets in it"),
    "erased": ({"state": "erased"}, "is erased"),
    "aborted": ({"aborted_at": NOW, "aborted_reason": "wrong tag"}, "was aborted: wrong tag"),
}


@pytest.mark.parametrize(("fields", "words"), NOT_WANTED.values(), ids=NOT_WANTED)
def test_a_dataset_that_nobody_can_bring_is_not_wished_for(fields, words):
    create_storage("BNL_DISK")
    create_dataset("user.alice.d", **fields)

    body = problem(wish(person()), 409, "conflict")

    assert body["message"] == f"user.alice.d {words}"
    assert not Subscription.objects.exists()


def test_a_callback_is_named_and_never_an_address():
    given_dataset()
    CallbackTarget.objects.create(name="panda", url="https://panda.example/x", secret="s")

    problem(wish(person(), callback="https://evil.example/"), 400, "unknown_callback")

    assert wish(person(), callback="panda").json()["callback"] == "panda"
    assert Subscription.objects.get().callback.name == "panda"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"dataset": "mc09.other"}, 403, "not_your_name", id="of others"),
        pytest.param({"dataset": "user.alice.x"}, 404, "not_found", id="unknown dataset"),
        pytest.param({"storage": "NOWHERE"}, 400, "unknown_storage", id="unknown storage"),
        pytest.param({"url": "file:///x"}, 400, "unknown_field", id="an address"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(body, status, code):
    given_dataset()
    create_dataset("mc09.other")

    problem(wish(person(), **body), status, code)

    assert not Subscription.objects.exists()
