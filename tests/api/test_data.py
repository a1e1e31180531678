"""/rest/v1/datasets, /files and /subscriptions: make, list, wish for, cancel."""

from __future__ import annotations

import pytest

from datasets.models import ContainerMember, Dataset, File, Replica
from tests.api.calls import person, problem
from tests.builders import ADLER32, GUID, create_dataset, create_file, create_storage

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
