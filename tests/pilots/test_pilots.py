"""Unmodified pilots of PanDA 3.7 take jobs of this server, and each ends as it should."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from datasets.storage import path_of
from jobs.models import Job, JobFile, KeptLease
from jobs.said import log_name
from pandasite.identity.models import Identity
from tests.pilots.grid import QUEUE, SCOPE, SUM

if TYPE_CHECKING:
    from tests.pilots.run import Ended

pytestmark = pytest.mark.pilots


def stored(ended: Ended, row: JobFile) -> Path:
    """Where the catalogue says that a file lies; it must lie there with that checksum."""
    path = ended.site.storage / path_of(row.scope, row.lfn)
    content = path.read_bytes()
    assert (len(content), f"{zlib.adler32(content):08x}") == (row.size, row.adler32)
    return path


def log_of(ended: Ended, panda_id: int) -> tuple[Path, JobFile]:
    scope, lfn = log_name(panda_id, 1)
    row = JobFile.objects.get(job=panda_id, type="log")
    assert (row.scope, row.lfn) == (scope, lfn)
    return stored(ended, row), row


def names_in(log: Path) -> set[str]:
    with tarfile.open(log) as tar:
        return {Path(name).name for name in tar.getnames()}


@pytest.mark.parametrize("by", ["finished", "by_proxy"], ids=["token", "proxy"])
def test_a_job_finishes_with_its_output_and_its_log_where_they_should_be(
    ended: Ended, by: str
) -> None:
    with ended.site.books():
        job = Job.objects.get(pk=getattr(ended, by))
        output = job.files.get(type="output")
        log, log_row = log_of(ended, job.pk)
        assert (job.state, job.attempt_nr, job.trans_exit_code) == ("finished", 1, 0)
        assert job.errors() == []
        assert (output.scope, output.status) == (SCOPE, "ready")
        assert stored(ended, output).read_bytes() == SUM
        replicas = output.file.replicas.values_list("storage__name", flat=True)
        assert list(replicas) == [f"{QUEUE.removesuffix('_Q1')}_DISK"]
        assert log_row.status == "ready"
        assert {"payload.stdout", "payload.stderr", "pilotlog.txt"} <= names_in(log)


def test_a_job_that_ends_with_exit_42_fails_with_the_pilots_code(ended: Ended) -> None:
    with ended.site.books():
        job = Job.objects.get(pk=ended.failed)
        assert (job.state, job.attempt_nr, job.trans_exit_code) == ("failed", 1, 42)
        assert (job.pilot_error_code, job.exe_error_code) == (1305, 0)
        assert job.pilot_error_diag.startswith("Failed to execute payload")
        assert "payload.stderr" in names_in(log_of(ended, job.pk)[0])


def test_a_job_that_is_killed_from_the_web_page_ends_at_its_pilots_next_word(ended: Ended) -> None:
    from tests.pilots.run import WHY

    with ended.site.books():
        job = Job.objects.get(pk=ended.killed)
        assert (job.state, job.attempt_nr, job.task_buffer_error_code) == ("cancelled", 1, 100)
        assert WHY in job.task_buffer_error_diag
        # "NO xml/log entry in that update": its pilot says no more of it.
        assert not job.files.filter(type="log").exists()


def test_each_attempt_is_bound_to_the_pilot_that_had_it(ended: Ended) -> None:
    with ended.site.books():
        leases = KeptLease.objects.order_by("panda_id")
        jobs = [ended.by_proxy, ended.finished, ended.failed, ended.killed]
        assert [lease.panda_id for lease in leases] == jobs
        assert {lease.pilot_id for lease in leases} == {"unknown|PR|3.7.0.36"}
        assert all(lease.node and lease.bound_at for lease in leases)


def test_the_pilot_with_a_proxy_was_known_by_its_owners_certificate_and_by_nothing_else(
    ended: Ended,
) -> None:
    with ended.site.books():
        identity = Identity.objects.get()
        assert identity.user.username == f"pilot@{QUEUE}"
        assert identity.subject == "CN=factory,OU=Users,DC=test,DC=ch"
        assert identity.last_seen_at is not None
    log = (ended.site.home.logs / "pilot-by-proxy.log").read_text(errors="replace")
    assert "https://127.0.0.1" in log and "http://127.0.0.1" not in log


def test_a10_no_key_of_the_proxy_is_in_a_log_of_the_site(ended: Ended) -> None:
    proxy = (ended.site.home.path / "pilot-by-proxy" / "proxy").read_text()
    key = proxy.split("PRIVATE KEY-----\n")[1].split("\n")[0]
    logs = [path.read_text(errors="replace") for path in ended.site.home.logs.glob("*.log")]
    assert len(logs) > 4 and not any(key in text for text in logs)
