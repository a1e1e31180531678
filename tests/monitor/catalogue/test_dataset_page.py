"""The pages of a dataset and of a file, with a look inside."""

from __future__ import annotations

import io
import struct
import threading
import zipfile
import zlib
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from datasets import services, sums
from datasets.models import ContainerMember, Dataset, File, StorageElement, Subscription
from datasets.storage import close_places, path_of
from jobs.models import AnyJob
from monitor.catalogue import fetching
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_replica,
    create_storage,
    create_transfer,
    create_user,
    put_away,
)
from tests.datasets import servers
from tests.monitor.catalogue.test_datasets import facts
from tests.monitor.sums import create_task
from tests.monitor.tables import rows, tables, texts

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.catalogue.views.database_now", lambda: NOW)


def test_a_dataset_shows_its_files_by_storage_element(client: Client) -> None:
    # given
    dataset = create_dataset("mc09.evgen_sub01", parent=create_dataset("mc09.evgen"), type="sub")
    home, away, bad = (create_storage(name) for name in ("HOME", "AWAY", "BAD"))
    one = create_file("E1", at=[away], dataset=dataset, size=1_500_000, events=300)
    create_file("E2", at=[home], dataset=dataset)
    create_transfer(one, home, error="no route", attempts=2)
    create_replica(one, bad, state="bad", reason="wrong size")
    Subscription.objects.create(dataset=dataset, storage=home, created_at=after(hours=-1))
    # when
    text = client.get("/datasets/mc09.evgen_sub01/").text
    found = tables(text)
    # then
    assert texts(found["files"][0])[3:6] == ["AWAY", "BAD", "HOME"]
    assert texts(found["files"][1])[:6] == [
        "mc09: E1", "1.5 MB", "300", "there", "bad", "queued",
    ]  # fmt: skip
    assert texts(found["files"][2])[3:6] == ["", "", "there"]
    assert 'title="2 tries: no route"' in text and 'title="wrong size"' in text
    assert [texts(row) for row in found["troubles"][1:]] == [
        ["E1", "BAD", "bad", "wrong size"],
        ["E1", "HOME", "queued", "no route"],
    ]
    wish = rows(found["subscriptions"])["HOME"]
    assert texts(wish)[1:3] == ["production", "open"]
    assert wish[5].text == "1 of 2"
    assert 'href="/datasets/mc09.evgen/"' in text
    assert texts(rows(found["where"])["AWAY"])[1] == "1 of 2"


def test_a_dataset_tells_what_is_known_of_it(client: Client) -> None:
    dataset = create_dataset(
        "mc09.1.py.merge.AOD.r1", owner=create_user("alice"), metadata={"campaign": "mc09a"},
        expires_at=after(days=9),
    )  # fmt: skip
    bnl = create_storage("BNL")
    file = create_file(dataset=dataset, at=[bnl], events=5)
    services.mark_bad(file, bnl, "gone")
    services.abort_datasets([dataset.pk], reason="bad tag", now=NOW)
    sums.run(NOW)

    page = facts(client, f"/datasets/{dataset.name}/")
    text = client.get(f"/datasets/{dataset.name}/").text

    assert (page["category"], page["data_type"], page["owner"]) == ("mc", "AOD", "alice")
    assert (page["n_files"], page["n_events"], page["n_lost"]) == (1, 5, 1)
    assert page["metadata"] == {"campaign": "mc09a"}
    assert "mc09a" in text and "bad tag" in text and "1 file lost:" in text


def test_a_long_dataset_is_shown_in_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr("monitor.catalogue.datasetpage.FILES_SHOWN", 2)
    dataset = create_dataset("mc09.evgen")
    names = [create_file(dataset=dataset).lfn for _ in range(5)]
    # when
    seen: list[str] = []
    behind: int | str | None = ""
    while behind is not None:
        page = client.get(f"/datasets/mc09.evgen/?format=json&after={behind}").json()
        seen += [file["lfn"] for file in page["files"]]
        behind = page["after"]
    # then
    assert seen == names
    assert client.get("/datasets/mc09.evgen/?after=999999999").status_code == 404


def test_a_large_dataset_shows_the_sums_that_are_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catalogue.datasetpage.COUNTED", 0)
    dataset = create_dataset("mc09.evgen")
    create_file(dataset=dataset)
    sums.run(after(hours=-3))
    create_file(dataset=dataset)

    page = facts(client, "/datasets/mc09.evgen/")

    assert page["n_files"] == 1
    assert page["counted_at"] == "2009-09-17T09:00:00Z"


def test_the_jobs_and_tasks_of_a_dataset_are_those_that_live_and_those_that_ended(
    client: Client,
) -> None:
    # given
    dataset, task = create_dataset("mc09.evgen"), create_task()
    file = create_file("E1", dataset=dataset)
    reads = create_job("activated", inputs=[file], dataset=dataset, task=task)
    made = create_job("finished", outputs=["E1"], dataset=dataset, at=after(hours=-50))
    put_away()
    # when
    page = facts(client, "/datasets/mc09.evgen/")
    # then
    assert page["live_jobs"] == {"input": 1}
    assert [(job["job"], job["kind"], job["state"]) for job in page["jobs"]] == [
        (made.pk, "output", "finished"), (reads.pk, "input", "activated"),
    ]  # fmt: skip
    assert [one["task"] for one in page["tasks"]] == [task.pk]
    text = client.get("/datasets/mc09.evgen/").text
    assert f'href="/tasks/{task.pk}/"' in text and f'href="/jobs/{made.pk}/"' in text


def test_a_container_shows_the_datasets_in_it(client: Client) -> None:
    whole = create_dataset("mc09.all/", type="container")
    part = create_dataset("mc09.part", n_files=3)
    ContainerMember.objects.create(container=whole, dataset=part)

    page = client.get("/datasets/mc09.all//", {"format": "json"}).json()

    assert page["datasets"] == ["mc09.part"]
    assert 'href="/datasets/mc09.part/"' in client.get("/datasets/mc09.all//").text


# Files


def test_a_file_has_its_replicas_transfers_datasets_and_jobs(client: Client) -> None:
    # given
    dataset, home = create_dataset("mc09.evgen"), create_storage("HOME")
    file = create_file("E1", dataset=dataset, at=[home], size=123456, events=9)
    create_transfer(
        file, create_storage("AWAY"), state="failed", ended_at=NOW, error="disk full",
        reason="no space left", source=home,
    )  # fmt: skip
    job = create_job("running", inputs=[file])
    # when
    page = facts(client, "/files/mc09/E1/")
    text = client.get("/files/mc09/E1/").text
    # then
    assert (page["size"], page["events"], page["datasets"]) == (123456, 9, ["mc09.evgen"])
    assert [one["storage"] for one in page["replicas"]] == ["HOME"]
    (move,) = page["transfers"]
    assert (move["destination"], move["error"], move["reason"]) == (
        "AWAY", "disk full", "no space left",
    )  # fmt: skip
    assert [one["job"] for one in page["jobs"]] == [job.pk]
    assert "disk full" in text and "123,456 bytes" in text


def test_of_a_file_that_many_jobs_read_the_latest_are_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr("monitor.catalogue.users.MOST", 3)
    file, task = create_file("DBR.1"), create_task()
    for weeks in (3, 2, 1):
        for _ in range(2):
            create_job("finished", inputs=[file], at=after(days=-7 * weeks), task=task)
    put_away()
    live = create_job("running", inputs=[file])
    # when
    page = facts(client, "/files/mc09/DBR.1/")
    # then
    latest = [job.pk for job in AnyJob.objects.order_by("-pk")[:3]]
    assert [one["job"] for one in page["jobs"]] == latest and latest[0] == live.pk
    assert [(one["state"], one["task"]) for one in page["jobs"]] == [
        ("running", None), ("finished", task.pk), ("finished", task.pk),
    ]  # fmt: skip
    assert page["cut"] == ["jobs"]
    assert "The latest jobs: there are more." in client.get("/files/mc09/DBR.1/").text


def test_the_uses_of_a_file_are_read_in_the_order_of_an_index() -> None:
    # given
    for weeks in (1, 2):
        create_job("finished", outputs=["E1"], at=after(days=-7 * weeks))
    put_away()
    # when
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'jobs_uses'")
        (body,) = cursor.fetchone()
        statement = body.partition("RETURN QUERY ")[2].partition(";")[0]
        given = {"scopes": "ARRAY['mc09']", "lfns": "ARRAY['E1']", "most": "200"}
        for name, value in given.items():
            statement = statement.replace(f"p_{name}", value)
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    # then: what is sorted is what was found, not all uses of a file
    assert plan.count("Sort Key: f.job_id DESC, f.lfn") == plan.count("Sort Key: f.")
    assert "Merge Append" in plan and "Seq Scan" not in plan


def test_a_file_of_the_same_name_in_another_scope_is_another_file(client: Client) -> None:
    file = create_file("E1", scope="mc08")
    create_job("running", inputs=[create_file("E1", scope="mc09")])

    assert facts(client, f"/files/mc08/{file.lfn}/")["jobs"] == []
    assert client.get("/files/mc10/E1/").status_code == 404
    assert client.get("/files/mc08/E1/?colour=red").status_code == 400


# Previews


def stored(folder: Path, lfn: str, content: bytes) -> File:
    """A file at a storage element in the folder, and in the dataset `result`."""
    storage = StorageElement.objects.filter(name="DISK").first()
    storage = storage or create_storage("DISK", url=f"file://{folder}")
    dataset = Dataset.objects.filter(name="result").first() or create_dataset("result")
    file = create_file(lfn, at=[storage], dataset=dataset, size=len(content))
    path = folder / path_of(file.scope, file.lfn)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return file


def npy(numbers: list[float], *, descr: str = "<f8", shape: str = "") -> bytes:
    """An array as numpy writes it."""
    shape = shape or f"({len(numbers)},)"
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    body = struct.pack(f"<{len(numbers)}d", *numbers)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


def npz(arrays: dict[str, bytes], packed: int = zipfile.ZIP_DEFLATED, end: str = ".npy") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}{end}", content)
    return buffer.getvalue()


def marked_encrypted(archive: bytes) -> bytes:
    """The same with the bit that says so, in the directory and in front of each member."""
    marked = bytearray(archive)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        where = -1
        while (where := archive.find(signature, where + 1)) >= 0:
            marked[where + at] |= 1
    return bytes(marked)


HISTOGRAM = {
    "pt_edges": npy([0.0, 0.5, 1.0]), "pt_counts": npy([3.0, 4.0]), "sample": npy([1.0]),
}  # fmt: skip


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
