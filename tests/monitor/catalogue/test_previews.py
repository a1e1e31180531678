"""A look inside a file: pictures and histograms, and what is not looked at."""

from __future__ import annotations

import struct
import threading
import zipfile
import zlib
from pathlib import Path

import pytest
from django.test import Client

from datasets.models import File, StorageElement
from datasets.storage import close_places, path_of
from monitor.catalogue import fetching
from tests.builders import (
    NOW,
)
from tests.datasets import servers
from tests.monitor.catalogue.histograms import HISTOGRAM, marked_encrypted, npy, npz, stored
from tests.monitor.catalogue.test_datasets import facts

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.catalogue.views.database_now", lambda: NOW)


def test_a_picture_is_shown_as_a_picture_and_as_nothing_else(
    client: Client, tmp_path: Path
) -> None:
    stored(tmp_path, "result.png", PNG)
    stored(tmp_path, "page.png", b"<html><script>alert(1)</script>")

    answer = client.get("/files/mc09/result.png/image")

    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert client.get("/files/mc09/page.png/image").status_code == 404
    text = client.get("/datasets/result/").text
    assert '<img class="preview" src="/files/mc09/result.png/image"' in text.replace("\n", " ")


def test_a_histogram_is_drawn_from_its_numbers(client: Client, tmp_path: Path) -> None:
    stored(tmp_path, "HIST._1.npz", npz(HISTOGRAM))

    plot = facts(client, "/files/mc09/HIST._1.npz/histogram")

    assert plot["names"] == ["pt"]
    assert plot["categories"] == ["0", "0.5"]
    assert plot["series"] == [{"name": "entries", "values": [3, 4]}]
    assert client.get("/files/mc09/HIST._1.npz/histogram?name=eta").status_code == 400
    text = client.get("/files/mc09/HIST._1.npz/").text
    assert 'data-src="/files/mc09/HIST._1.npz/histogram"' in text


DAMAGED: dict[str, bytes] = {
    "no zip": b"not a zip",
    "cut short": npz(HISTOGRAM)[:-40],
    "no array": npz({"pt_edges": b"x", "pt_counts": b"y"}),
    "a head that lies": npz(
        {"pt_edges": npy([1.0], shape="(900,)"), "pt_counts": npy([1.0], shape="(899,)")}
    ),
    "packed as numpy never does": npz(HISTOGRAM, zipfile.ZIP_BZIP2),
    "encrypted": marked_encrypted(npz(HISTOGRAM)),
    "noise": zlib.compress(b"noise"),
}
WITHOUT: dict[str, bytes] = {
    "a head of code": npz(
        {"pt_edges": b"\x93NUMPY\x01\x00" + struct.pack("<H", 16) + b"__import__('os')"}
    ),
    "objects": npz({"pt_edges": npy([1.0], descr="|O"), "pt_counts": npy([1.0], descr="|O")}),
    "other shapes": npz({"pt_edges": npy([1.0]), "pt_counts": npy([1.0])}),
    "nothing": npz({}),
    "members that are no arrays by their names": npz(HISTOGRAM, end=""),
    "counts that JSON has no word for": npz(
        {"pt_edges": npy([0.0, 1.0]), "pt_counts": npy([float("nan")])}
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_no_histogram_is_not_drawn(client: Client, tmp_path: Path, kind: str) -> None:
    stored(tmp_path, "HIST._1.npz", DAMAGED[kind])

    answer = client.get("/files/mc09/HIST._1.npz/histogram", headers={"accept": "text/html"})

    assert answer.status_code == 404
    told = client.get("/files/mc09/HIST._1.npz/histogram", headers={"accept": "application/json"})
    assert (told.status_code, told.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("kind", WITHOUT)
def test_arrays_without_a_histogram_are_no_fault(client: Client, tmp_path: Path, kind: str) -> None:
    stored(tmp_path, "HIST._1.npz", WITHOUT[kind])

    plot = facts(client, "/files/mc09/HIST._1.npz/histogram")

    assert (plot["series"], plot["note"]) == ([], "It has no histogram inside.")


def test_of_many_histograms_a_bounded_number_is_read(client: Client, tmp_path: Path) -> None:
    edges, counts = npy([0.0, 1.0]), npy([1.0])
    many = {f"h{nr}_{end}": edges if end == "edges" else counts
            for nr in range(500) for end in ("edges", "counts")}  # fmt: skip
    stored(tmp_path, "HIST._1.npz", npz(many))

    plot = facts(client, "/files/mc09/HIST._1.npz/histogram")

    assert plot["names"] == [f"h{nr}" for nr in range(20)]


def test_a_file_that_is_large_or_not_at_hand_has_no_preview(client: Client, tmp_path: Path) -> None:
    file = stored(tmp_path, "result.png", PNG)
    (tmp_path / path_of(file.scope, file.lfn)).unlink()
    assert client.get("/files/mc09/result.png/image").status_code == 404

    File.objects.update(size=2_000_001)
    assert client.get("/files/mc09/result.png/image").status_code == 404
    assert "/image" not in client.get("/files/mc09/result.png/").text

    File.objects.update(size=100)
    StorageElement.objects.update(kind="tape")
    assert "/image" not in client.get("/datasets/result/").text


def test_what_lies_at_a_storage_elsewhere_is_shown_as_well(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_DAV", f"{servers.USER}:{servers.PASSWORD}")
    stored(tmp_path, "result.png", PNG)
    with servers.webdav(tmp_path) as url:
        StorageElement.objects.update(url=url, secret="dav")
        assert "/image" in client.get("/datasets/result/").text

        answer = client.get("/files/mc09/result.png/image")
        close_places()

    assert (answer.status_code, answer.content) == (200, PNG)


def test_a_storage_that_says_nothing_does_not_hold_the_page(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(tmp_path, "result.png", PNG)
    monkeypatch.setattr(fetching, "SECONDS", 0.2)
    with servers.Raw(lambda server, *_: server.ending.wait(20)) as silent:
        StorageElement.objects.update(url=f"dav://127.0.0.1:{silent.port}/x")

        answers = [client.get("/files/mc09/result.png/image") for _ in range(6)]
        waiting = [one for one in threading.enumerate() if one.name == "preview"]

    assert {answer.status_code for answer in answers} == {404}
    assert 1 <= len(waiting) <= fetching.AT_ONCE
    for one in waiting:
        one.join(10)
    close_places()
