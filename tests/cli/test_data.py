"""`pandasite data` against a real server with real folders behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets.models import Dataset, Replica, Subscription
from pandasite.cli import following
from tests.builders import create_dataset, create_file, create_storage
from tests.cli.calls import Call
from tests.datasets.disks import create_disk, known_file, store, where

CONTENTS = {"a.txt": b"alpha" * 1000, "b.bin": bytes(range(256)) * 9000, "empty": b""}


@pytest.fixture
def disk(alice: Any, tmp_path: Path, settings: Any) -> Any:
    """Where uploads go."""
    settings.PANDASITE_UPLOAD_STORAGE = "uploads"
    return create_disk(tmp_path, "uploads")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in CONTENTS]


def held(folder: Path) -> dict[str, bytes]:
    """What is in a folder, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_put_comes_back_bit_by_bit_and_only_what_is_missing_moves_again(
    disk: Any, call: Call, files: list[str], tmp_path: Path
) -> None:
    # when
    put = call("data", "put", *files, "--dataset", "user.alice.test")
    again = call("data", "put", *files, "--dataset", "user.alice.test")
    got = call("data", "get", "user.alice.test", "--to", str(tmp_path))
    # then
    folder = tmp_path / "user.alice.test"
    assert (put.code, again.code, got.code) == (0, 0, 0), put.err + got.err
    assert again.err.count("was there") == 3
    assert held(folder) == CONTENTS
    # and what has been damaged here since then is brought again, the rest is not
    (folder / "a.txt").write_bytes(b"omega" * 1000)
    more = call("data", "get", "user.alice.test", "--to", str(tmp_path))
    assert (more.code, more.err.count("brought"), more.err.count("was there")) == (0, 1, 2)
    assert held(folder) == CONTENTS
    # and the lists know them
    told = call("data", "ls", "user.alice.test", "--json").json["files"]
    assert sorted(file["lfn"] for file in told) == sorted(CONTENTS)
    assert "user.alice.test" in call("data", "ls", "user.al").out


def test_a_damaged_copy_leaves_no_file_here_and_stops_no_other(
    disk: Any, call: Call, files: list[str], tmp_path: Path
) -> None:
    # given
    call("data", "put", *files, "--dataset", "user.alice.test")
    file = Replica.objects.get(file__lfn="a.txt").file
    where(disk, file).write_bytes(b"omega" * 1000)
    # when
    answer = call("data", "get", "user.alice.test", "-o", str(tmp_path))
    # then
    assert answer.code == 1
    assert "1 of 3 files are missing" in answer.err
    assert held(tmp_path / "user.alice.test").keys() == {"b.bin", "empty"}


def test_files_of_one_name_do_not_write_over_each_other_here(
    alice: Any, call: Call, tmp_path: Path
) -> None:
    # given
    disk, dataset = create_disk(tmp_path, "bnl"), create_dataset("user.alice.two")
    for scope, content in (("mc08", b"old"), ("mc09", b"new")):
        file = known_file(content, lfn="HIST.1", scope=scope, dataset=dataset)
        store(disk, file, content)
    # when
    answer = call("data", "get", "user.alice.two", "-o", str(tmp_path))
    # then
    assert (answer.code, "1 of 2 files are missing" in answer.err) == (1, True)
    assert "mc08:HIST.1 is " in answer.err
    assert held(tmp_path / "user.alice.two") == {"HIST.1": b"old"}


def test_a_storage_that_is_away_stops_no_file_of_another_one(
    alice: Any, call: Call, tmp_path: Path
) -> None:
    # given
    dataset, disk = create_dataset("user.alice.two"), create_disk(tmp_path, "bnl")
    create_file("gone", dataset=dataset, at=[create_storage(url=f"file://{tmp_path}/nothing")])
    store(disk, known_file(b"here", lfn="here", dataset=dataset), b"here")
    # when
    answer = call("data", "get", "user.alice.two", "-o", str(tmp_path))
    # then
    assert (answer.code, "cannot be read now at" in answer.err) == (1, True)
    assert held(tmp_path / "user.alice.two") == {"here": b"here"}


def test_another_content_under_a_name_and_a_scope_of_others_are_refused(
    disk: Any, call: Call, files: list[str]
) -> None:
    call("data", "put", files[0])
    Path(files[0]).write_bytes(b"other")

    other = call("data", "put", *files[:2])
    foreign = call("data", "put", files[1], "--scope", "mc09")

    assert (other.code, foreign.code) == (1, 1)
    assert "there is a file user.alice:a.txt" in other.err
    assert "1 of 2 files are missing" in other.err
    assert "needs a production role" in foreign.err


def test_a_file_is_brought_by_its_name(disk: Any, call: Call, files: list[str], tmp_path: Path):
    call("data", "put", files[0])

    answer = call("data", "get", "user.alice:a.txt", "-o", str(tmp_path / "here"))

    assert answer.code == 0, answer.err
    assert held(tmp_path / "here") == {"a.txt": CONTENTS["a.txt"]}
    assert call("data", "get", "user.alice:nothing").code == 1


def test_a_subscription_is_followed_to_its_end(
    alice: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    storage = create_storage("BNL")
    file = create_file("E.1", dataset=create_dataset("user.alice.in"))

    def arrive(_seconds: float) -> None:
        Replica.objects.create(file=file, storage=storage, created_at=file.created_at)
        Subscription.objects.update(state="done", done_at=file.created_at)

    monkeypatch.setattr(following, "rest", arrive)
    # when
    answer = call("data", "subscribe", "user.alice.in", "BNL", "--follow")
    again = call("data", "subscribe", "user.alice.in", "BNL", "--json")
    # then
    assert (answer.code, again.code) == (0, 0), answer.err
    assert "0/1 files" in answer.err and "1/1 files" in answer.err
    number = Subscription.objects.get().pk
    assert again.json["id"] == number
    assert call("data", "status", "--state", "done", "--json").json["subscriptions"]
    Subscription.objects.update(state="given_up", reason="nobody wants it")
    assert call("data", "status", str(number), "--follow").code == 4
    assert call("data", "subscribe", "user.alice.no", "BNL").code == 1
    assert Dataset.objects.count() == 1
