"""Upload and download: whole or not at all, and never a path that leads elsewhere."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.http import StreamingHttpResponse

from datasets import content
from datasets.models import File, Replica
from datasets.storage import local
from tests.api.calls import person, problem
from tests.builders import create_dataset, create_file, create_storage
from tests.datasets.disks import CONTENT, create_disk, known_file, store, where

pytestmark = pytest.mark.django_db
ADDRESS = "/rest/v1/files/user.alice/hist.png/content"
BINARY = "application/octet-stream"


def adler32(content: bytes) -> str:
    return f"{zlib.adler32(content):08x}"


@pytest.fixture
def disk(tmp_path: Path, settings: Any) -> Any:
    """Where uploads go."""
    settings.PANDASITE_UPLOAD_STORAGE = "uploads"
    return create_disk(tmp_path, "uploads")


def put(content: bytes = CONTENT, *, who: Any = None, path: str = ADDRESS, **more: Any) -> Any:
    query = {"adler32": adler32(content)} | more.pop("query", {})
    text = "&".join(f"{name}={value}" for name, value in query.items())
    kind = more.pop("content_type", BINARY)
    return (who or person()).generic("PUT", f"{path}?{text}", content, content_type=kind, **more)


def stored(disk: Any) -> list[str]:
    root = Path(disk.url.removeprefix("file://"))
    return sorted(p.name for p in root.rglob("*") if p.is_file())


def test_what_is_uploaded_is_known_and_can_be_downloaded(disk):
    create_dataset("user.alice.plots")

    answer = put(query={"dataset": "user.alice.plots"})

    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["size"], told["adler32"], told["storages"]) == (
        len(CONTENT),
        adler32(CONTENT),
        ["uploads"],
    )
    assert told["datasets"] == ["user.alice.plots"]
    file = File.objects.get()
    assert where(disk, file).read_bytes() == CONTENT
    got = person("bob").get(ADDRESS)
    assert isinstance(got, StreamingHttpResponse)
    assert b"".join(got.streaming_content) == CONTENT
    assert got.headers["X-Adler32"] == file.adler32
    assert got.headers["Content-Length"] == str(len(CONTENT))


def test_an_empty_file_is_a_file(disk):
    assert put(b"", CONTENT_LENGTH="0").status_code == 201
    assert File.objects.get().size == 0


def test_the_same_upload_again_is_the_first_one(disk):
    first, second = put(), put()

    assert (first.status_code, second.status_code) == (201, 200)
    assert (first.json()["replayed"], second.json()["replayed"]) == (False, True)
    assert second.json()["guid"] == first.json()["guid"]


def test_a_name_that_has_other_content_is_not_written_over(disk):
    put()

    problem(put(b"other"), 409, "file_exists")

    assert where(disk, File.objects.get()).read_bytes() == CONTENT


def test_a_file_that_was_only_announced_gets_its_content(disk):
    file = known_file(
        lfn="hist.png", scope="user.alice", guid="00000000-0000-0000-0000-000000000001"
    )

    answer = put()

    assert (answer.status_code, answer.json()["guid"]) == (201, file.guid)
    assert Replica.objects.get(file=file).state == "available"


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        pytest.param({"query": {"adler32": "00000001"}}, 400, "wrong_content", id="checksum"),
        pytest.param({"query": {"adler32": "xyz"}}, 400, "bad_checksum", id="no checksum"),
        pytest.param({"query": {"guid": "1"}}, 400, "bad_guid", id="guid"),
        pytest.param({"query": {"dataset": "user.alice.x"}}, 404, "not_found", id="dataset"),
        pytest.param({"query": {"site": "x"}}, 400, "unknown_filter", id="parameter"),
        pytest.param({"content_type": "text/html"}, 415, "unsupported_media_type", id="type"),
        pytest.param(
            {"CONTENT_LENGTH": "9999", "wsgi.input": io.BytesIO(CONTENT)},
            400,
            "wrong_content",
            id="cut off",
        ),
        pytest.param({"CONTENT_LENGTH": ""}, 411, "length_required", id="no length"),
        pytest.param({"CONTENT_LENGTH": str(10**13)}, 413, "too_large", id="too large"),
    ],
)
def test_an_upload_that_is_not_right_leaves_nothing_behind(disk, more, status, code):
    problem(put(**more), status, code)

    assert stored(disk) == []
    assert not File.objects.exists()


def test_an_upload_of_what_was_lost_makes_it_good_again(disk):
    put()
    Replica.objects.update(state="bad", reason="lost: disk 7 died")
    where(disk, File.objects.get()).unlink()

    answer = put()

    assert (answer.status_code, answer.json()["storages"]) == (201, ["uploads"])
    assert b"".join(person().get(ADDRESS).streaming_content) == CONTENT


def test_others_files_and_frozen_datasets_are_not_for_everybody(disk):
    create_dataset("user.alice.shut", state="frozen")

    problem(put(who=person("mallory")), 403, "not_your_name")
    problem(put(query={"dataset": "user.alice.shut"}), 409, "conflict")

    assert stored(disk) == []


def test_without_a_storage_for_uploads_it_is_said_who_can_help(settings):
    settings.PANDASITE_UPLOAD_STORAGE = ""

    refused = problem(put(), 503, "unavailable")

    assert "PANDASITE_UPLOAD_STORAGE" in refused["message"]


def test_a_storage_that_cannot_be_written_is_said_to_be_away(disk, tmp_path):
    (tmp_path / "uploads").rmdir()
    (tmp_path / "uploads").write_text("a file in its place")

    problem(put(), 503, "unavailable")


def test_a_download_goes_to_the_next_replica_when_one_cannot_be_read(tmp_path):
    gone, good = create_disk(tmp_path, "gone"), create_disk(tmp_path, "good")
    file = known_file(lfn="f")
    store(gone, file).unlink()
    store(good, file)

    got = person().get("/rest/v1/files/mc09/f/content")

    assert b"".join(got.streaming_content) == CONTENT


@pytest.mark.parametrize(
    "stored_as",
    [pytest.param(CONTENT[:-1] + b"X", id="corrupted"), pytest.param(CONTENT[:9], id="truncated")],
)
def test_wrong_content_is_given_to_nobody_and_its_replica_is_bad_from_then_on(tmp_path, stored_as):
    wrong, good = create_disk(tmp_path, "wrong"), create_disk(tmp_path, "good")
    file = known_file(lfn="f")
    store(wrong, file, stored_as)
    store(good, file)

    got = person().get("/rest/v1/files/mc09/f/content")

    assert b"".join(got.streaming_content) == CONTENT
    assert Replica.objects.get(storage=wrong).state == "bad"


def test_a_download_of_many_pieces_breaks_off_before_its_last_when_it_is_wrong(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(local, "CHUNK", 100)
    disk, good = create_disk(tmp_path, "wrong"), create_disk(tmp_path, "good")
    file = known_file(lfn="f")
    store(disk, file, CONTENT[:-1] + b"X")
    store(good, file)

    got, came = person().get("/rest/v1/files/mc09/f/content"), b""
    with pytest.raises(content.Wrong, match="adler32 is"):
        for piece in got.streaming_content:
            came += piece

    assert came == CONTENT[:-100]
    again = person().get("/rest/v1/files/mc09/f/content")
    assert b"".join(again.streaming_content) == CONTENT


def test_a_file_without_a_good_replica_is_not_there_and_one_out_of_reach_is_away(tmp_path):
    create_file("none")
    create_file("away", at=[create_storage(url=f"file://{tmp_path}/nothing")])

    problem(person().get("/rest/v1/files/mc09/none/content"), 404, "not_found")
    problem(person().get("/rest/v1/files/mc09/away/content"), 503, "replicas_away")


PATHS = {
    "..": "..",
    "a/..": "a/..",
    "../../etc/passwd": "../../etc/passwd",
    "NUL": "a%00b",
    "backslash": "a%5Cb",
    "encoded dots": "%2e%2e",
    "encoded twice": "%252e%252e",
    "encoded slash": "a%2Fb",
    "absolute": "/etc/passwd",
    "300 characters": "x" * 300,
    "leading dash": "-rf",
    "hidden": ".htaccess",
    "newline": "a%0Ab",
    "unicode dots": "%E2%80%A5",
    "full width": "%EF%BC%8E%EF%BC%8E",
    "one dot": ".",
    "tilde": "~root",
    "blank": "a%20b",
    "colon": "c:x",
    "star": "*",
    "quote": "a%22b",
    "percent": "a%25b",
    "not UTF-8": "%FF%FE",
    "a dot behind": "a..b",
    "question mark": "a%3Fb",
    "hash": "a%23b",
    "semicolon": "a;ls",
    "pipe": "a%7Cb",
    "dollar": "$(id)",
    "tab": "a%09b",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_name_that_is_a_path_is_refused_and_nothing_is_written(disk, tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    alice = person("alice", production=True)

    for path in (f"user.alice/{PATHS[name]}", f"{PATHS[name]}/f"):
        address = f"/rest/v1/files/{path}/content"
        for answer in (put(path=address, who=alice), alice.get(address)):
            assert answer.status_code == 400, (path, answer.status_code)
            fields = answer.json()["fields"]  # the middleware that knows NUL knows no fields
            assert name == "NUL" or fields[0]["field"] in ("scope", "lfn")

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", sorted(PATHS.keys() - {"encoded slash"}))
def test_a_dataset_that_is_a_path_is_refused(name):
    assert person().get(f"/rest/v1/datasets/{PATHS[name]}").status_code == 400
