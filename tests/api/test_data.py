"""/rest/v1/datasets, /files and /subscriptions: make, list, wish for, cancel."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from datasets.models import (
    CallbackTarget,
    ContainerMember,
    Dataset,
    File,
    Replica,
    Subscription,
    Transfer,
)
from pandasite.base.models import AuditLine
from tests.api.calls import person, problem
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    create_dataset,
    create_file,
    create_storage,
    create_user,
)

pytestmark = pytest.mark.django_db
DATASETS, SUBSCRIPTIONS = "/rest/v1/datasets", "/rest/v1/subscriptions"


def new_file(lfn: str = "hits.1", scope: str = "user.alice") -> dict[str, object]:
    return {"scope": scope, "lfn": lfn, "guid": GUID, "size": 10, "adler32": ADLER32}


def post(who, path, body, status):
    answer = who.post(path, body)
    assert answer.status_code == status, answer.content
    return answer.json()


def get(who, path, **query):
    answer = who.get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


# -- datasets ----------------------------------------------------------------------------------


def test_a_dataset_is_made_with_its_files_and_read_again():
    alice = person()
    body = {"name": "user.alice.test", "files": [new_file("a"), new_file("b")]}

    made = post(alice, DATASETS, body, 201)

    assert (made["name"], made["state"], made["owner"]) == ("user.alice.test", "open", "alice")
    files = get(alice, f"{DATASETS}/user.alice.test/files")["files"]
    assert [(one["lfn"], one["storages"]) for one in files] == [("a", []), ("b", [])]
    assert get(alice, f"{DATASETS}/user.alice.test")["id"] == made["id"]


def test_a_name_is_taken_once():
    alice = person()
    post(alice, DATASETS, {"name": "user.alice.test"}, 201)

    problem(alice.post(DATASETS, {"name": "user.alice.test"}), 409, "dataset_exists")


def test_nothing_of_a_dataset_is_made_when_one_of_its_files_cannot_be():
    create_file("b", scope="user.alice", size=11)
    body = {"name": "user.alice.test", "files": [new_file("a"), new_file("b")]}

    problem(person().post(DATASETS, body), 409, "file_exists")

    assert not Dataset.objects.exists()
    assert File.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"name": "mc09.105001.evgen"}, id="dataset"),
        pytest.param({"name": "user.alicex.test"}, id="a longer name"),
        pytest.param({"name": "user.alice.t", "files": [new_file(scope="mc09")]}, id="scope"),
        pytest.param({"name": "user.alice.t", "storage": "BNL_DISK"}, id="where files are"),
    ],
)
def test_a_user_makes_only_what_has_his_name(body):
    create_storage("BNL_DISK")
    answer = person().post(DATASETS, body)

    assert answer.status_code == 403, answer.content
    assert not Dataset.objects.exists()


def test_who_has_the_production_role_says_where_files_are():
    create_storage("BNL_DISK")
    body = {"name": "mc09.x.EVNT", "files": [new_file(scope="mc09")], "storage": "BNL_DISK"}

    post(person("bob", production=True), DATASETS, body, 201)

    assert Replica.objects.get().storage.name == "BNL_DISK"


def test_a_container_has_datasets_and_shows_their_files():
    alice = person()
    for name in ("one", "two"):
        post(alice, DATASETS, {"name": f"user.alice.{name}", "files": [new_file(name)]}, 201)
    inside = ["user.alice.one", "user.alice.two"]

    body = {"name": "user.alice.all/", "type": "container", "datasets": inside}
    made = post(alice, DATASETS, body, 201)

    assert made["datasets"] == inside
    files = get(alice, f"{DATASETS}/user.alice.all//files")["files"]
    assert [one["lfn"] for one in files] == ["one", "two"]
    assert get(alice, f"{DATASETS}/user.alice.one")["containers"] == ["user.alice.all/"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(
            {"type": "container", "files": [new_file()]}, "not_for_containers", id="files"
        ),
        pytest.param({"datasets": ["user.alice.x"]}, "only_for_containers", id="no container"),
        pytest.param(
            {"type": "container", "datasets": ["nowhere"]}, "unknown_dataset", id="unknown"
        ),
        pytest.param({"type": "container", "datasets": ["c/"]}, "nested_container", id="nested"),
        pytest.param({"files": [new_file(), new_file()]}, "duplicate_lfn", id="twice"),
        pytest.param({"type": "sub"}, "unknown_type", id="type"),
        pytest.param({"lifetime_days": 0}, "out_of_range", id="lifetime"),
    ],
)
def test_a_dataset_that_cannot_be_is_refused_with_the_field(body, code):
    create_dataset("c/", type="container")

    refused = problem(person().post(DATASETS, {"name": "user.alice.t"} | body), 400, code)

    assert refused["fields"][0]["field"].partition("[")[0] in body
    assert not ContainerMember.objects.exists()


def test_files_are_added_to_an_open_dataset_only():
    alice = person()
    create_dataset("user.alice.open")
    create_dataset("user.alice.shut", state="frozen")

    post(alice, f"{DATASETS}/user.alice.open/files", {"files": [new_file()]}, 201)

    shut = alice.post(f"{DATASETS}/user.alice.shut/files", {"files": [new_file("b")]})
    problem(shut, 409, "conflict")
    assert File.objects.count() == 1


def test_the_list_is_filtered_and_goes_on_where_it_ended():
    alice = person()
    for name in ("mc09.1.EVNT", "mc09.2.EVNT", "data09.1.AOD"):
        create_dataset(name)

    first = get(alice, DATASETS, name="mc09.", limit=1)
    rest = get(alice, DATASETS, name="mc09.", limit=1, before=first["before"])

    names = [page["datasets"][0]["name"] for page in (first, rest)]
    assert (names, rest["before"]) == (["mc09.2.EVNT", "mc09.1.EVNT"], None)
    (other,) = get(alice, DATASETS, project="data09")["datasets"]
    assert other["name"] == "data09.1.AOD"
    assert get(alice, DATASETS, name="mc09.%")["datasets"] == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        (DATASETS, "type=other", "unknown_type"),
        (DATASETS, "state=gone", "unknown_state"),
        (DATASETS, "limit=1001", "out_of_range"),
        (DATASETS, "owner=x", "unknown_filter"),
        (SUBSCRIPTIONS, "state=gone", "unknown_state"),
        (SUBSCRIPTIONS, "before=0", "out_of_range"),
        (f"{DATASETS}/d/files", "after=-1", "out_of_range"),
    ],
)
def test_a_bad_filter_is_refused(path, query, code):
    create_dataset("d")

    problem(person().get(f"{path}?{query}"), 400, code)


def test_a_file_is_shown_with_good_and_bad_replicas():
    here, there = create_storage("A"), create_storage("B")
    file = create_file("f", at=[here, there], dataset=create_dataset("d"))
    Replica.objects.filter(storage=there).update(state="bad", reason="truncated")

    shown = get(person(), "/rest/v1/files/mc09/f")

    assert (shown["adler32"], shown["storages"], shown["datasets"]) == (file.adler32, ["A"], ["d"])
    assert [(r["storage"], r["state"], r["reason"]) for r in shown["replicas"]] == [
        ("A", "available", ""),
        ("B", "bad", "truncated"),
    ]


# -- subscriptions -----------------------------------------------------------------------------


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
