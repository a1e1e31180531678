"""The log of a job, from storage: as an attachment, and nothing else of the storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from datasets.models import StorageElement
from datasets.storage import path_of
from jobs.models import Job, JobFile
from tests.builders import create_file, create_job, create_replica, create_site, create_storage

pytestmark = pytest.mark.django_db
TAR = b"\x1f\x8b" + b"x" * 5_000_000  # more than one chunk


@pytest.fixture
def storage(tmp_path: Path) -> StorageElement:
    return create_storage(url=f"file://{tmp_path}")


def store(root: Path, lfn: str, content: bytes = TAR) -> None:
    path = root / path_of("log", lfn)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def create_log(job: Job, attempt: int, *at: StorageElement) -> str:
    """The log of an attempt, registered at these storage elements."""
    lfn = f"log.{job.pk}._{attempt}.job.log.tgz"
    file = create_file(lfn, scope="log", at=at)
    JobFile.objects.create(job=job, type="log", scope="log", lfn=lfn, file=file)
    return lfn


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_log_comes_whole_and_as_an_attachment(
    client: Client, storage: StorageElement, tmp_path: Path
) -> None:
    # given
    job = create_job("finished", site=create_site())
    lfn = create_log(job, 1, storage)
    store(tmp_path, lfn)
    # when
    answer = client.get(f"/jobs/{job.pk}/log")
    # then
    assert answer.status_code == 200
    assert body(answer) == TAR
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{lfn}"'
    assert answer.headers["Content-Length"] == str(len(TAR))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/gzip"


def test_a_log_that_is_compressed_already_is_not_compressed_again(
    client: Client, storage: StorageElement, tmp_path: Path
) -> None:
    # given
    job = create_job("finished", site=create_site())
    store(tmp_path, create_log(job, 1, storage))
    # when
    answer = client.get(f"/jobs/{job.pk}/log", headers={"Accept-Encoding": "gzip"})
    # then
    assert "Content-Encoding" not in answer.headers
    assert body(answer) == TAR


def test_the_latest_attempt_is_meant_unless_one_is_named(
    client: Client, storage: StorageElement, tmp_path: Path
) -> None:
    # given
    job = create_job("finished", site=create_site())
    for attempt in (1, 2):
        store(tmp_path, create_log(job, attempt, storage), b"log %d" % attempt)
    # then
    assert body(client.get(f"/jobs/{job.pk}/log")) == b"log 2"
    assert body(client.get(f"/jobs/{job.pk}/log?attempt=1")) == b"log 1"
    assert client.get(f"/jobs/{job.pk}/log?attempt=3").status_code == 404
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert f'href="/jobs/{job.pk}/log?attempt=1"' in page
    assert f'href="/jobs/{job.pk}/log?attempt=2"' in page


def test_a_second_element_helps_out_when_the_first_has_lost_the_file(
    client: Client, storage: StorageElement, tmp_path: Path
) -> None:
    # given
    job = create_job("finished", site=create_site())
    lfn = create_log(job, 1, create_storage(url="file:///nowhere-at-all"), storage)
    store(tmp_path, lfn, b"log")
    # then
    assert body(client.get(f"/jobs/{job.pk}/log")) == b"log"


def test_a_bad_replica_is_not_handed_out(
    client: Client, storage: StorageElement, tmp_path: Path
) -> None:
    # given
    job = create_job("finished", site=create_site())
    lfn = create_log(job, 1)
    create_replica(JobFile.objects.get(lfn=lfn).file, storage, state="bad")  # type: ignore[arg-type]
    store(tmp_path, lfn)
    # then
    assert client.get(f"/jobs/{job.pk}/log").status_code == 404


def test_a_job_without_a_log_has_none_to_give(client: Client) -> None:
    # given
    job = create_job("running", site=create_site())
    # when
    answer = client.get(f"/jobs/{job.pk}/log")
    # then
    assert answer.status_code == 404
    assert "has no log" in answer.content.decode()


def test_no_other_file_of_the_job_is_handed_out(
    client: Client, storage: StorageElement, tmp_path: Path
) -> None:
    # given
    file = create_file("secret.txt", scope="log", at=[storage])
    job = create_job("running", site=create_site(), inputs=[file])
    store(tmp_path, "secret.txt")
    # then
    assert client.get(f"/jobs/{job.pk}/log").status_code == 404


SMALL = bytes(range(100))


@pytest.fixture
def address(storage: StorageElement, tmp_path: Path) -> str:
    """Where a log of a hundred bytes is."""
    job = create_job("finished", site=create_site())
    store(tmp_path, create_log(job, 1, storage), SMALL)
    return f"/jobs/{job.pk}/log"


@pytest.mark.parametrize("offset", [0, 1, 99, 100])
def test_a_log_may_be_had_from_an_offset_on(client: Client, address: str, offset: int) -> None:
    answer = client.get(f"{address}?offset={offset}")

    assert (answer.status_code, body(answer)) == (200, SMALL[offset:])
    assert answer.headers["Content-Length"] == str(100 - offset)


@pytest.mark.parametrize("offset", ["-1", "ten", "1.5", "1e1", "9223372036854775808", "9" * 5000])
def test_an_offset_is_a_number(client: Client, address: str, offset: str) -> None:
    answer = client.get(f"{address}?offset={offset}")

    assert answer.status_code == 400
    text = answer.content.decode()
    assert "offset" in text and "9223372036854775807" in text


@pytest.mark.parametrize("offset", [101, 2**63 - 1])
def test_an_offset_behind_the_end_cannot_be_had(client: Client, address: str, offset: int) -> None:
    answer = client.get(f"{address}?offset={offset}")

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */100"


@pytest.mark.parametrize(
    ("value", "part", "said"),
    [
        ("bytes=0-0", SMALL[:1], "bytes 0-0/100"),
        ("bytes=10-19", SMALL[10:20], "bytes 10-19/100"),
        ("bytes=90-", SMALL[90:], "bytes 90-99/100"),
        ("bytes=-5", SMALL[-5:], "bytes 95-99/100"),
        ("bytes=0-999999", SMALL, "bytes 0-99/100"),
    ],
)
def test_a_range_is_answered_with_its_part(
    client: Client, address: str, value: str, part: bytes, said: str
) -> None:
    answer = client.get(address, headers={"Range": value})

    assert (answer.status_code, body(answer)) == (206, part)
    assert answer.headers["Content-Range"] == said
    assert answer.headers["Content-Length"] == str(len(part))


@pytest.mark.parametrize("value", ["bytes=100-", "bytes=5-1", "bytes=-0", "bytes=x-", "bytes=-"])
def test_a_bad_range_cannot_be_had(client: Client, address: str, value: str) -> None:
    answer = client.get(address, headers={"Range": value})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */100"


def test_a_range_may_be_asked_of_what_is_behind_an_offset(client: Client, address: str) -> None:
    answer = client.get(f"{address}?offset=90", headers={"Range": "bytes=2-4"})

    assert (answer.status_code, body(answer)) == (206, SMALL[92:95])
    assert answer.headers["Content-Range"] == "bytes 2-4/10"


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "lines=1-2"},
        {"Range": "bytes=0-1,5-6"},
        {"Range": "bytes=0-1", "If-Range": '"x"'},
    ],
)
def test_what_is_no_range_for_us_is_answered_with_the_whole(
    client: Client, address: str, headers: dict[str, str]
) -> None:
    answer = client.get(address, headers=headers)

    assert (answer.status_code, body(answer)) == (200, SMALL)
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_the_head_of_a_log_knows_no_range(client: Client, address: str) -> None:
    answer = client.head(address, headers={"Range": "bytes=0-1"})

    assert (answer.status_code, answer.headers["Content-Length"]) == (200, "100")


def test_a_log_can_do_nothing_where_it_is_opened(client: Client, address: str) -> None:
    policy = client.get(address).headers["Content-Security-Policy"]

    assert policy == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    "query", ["path=../../etc/passwd", "attempt=0", "attempt=../1", "lfn=x", "attempt=99999"]
)
def test_an_address_cannot_name_a_path(client: Client, query: str) -> None:
    # given
    job = create_job("running", site=create_site())
    # then
    assert client.get(f"/jobs/{job.pk}/log?{query}").status_code == 400
