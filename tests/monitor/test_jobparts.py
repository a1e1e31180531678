"""Parts of the job page: its script, its log from inside, its samples, its tries, its likes."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from datasets.models import StorageElement
from datasets.storage import path_of
from jobs.models import Job
from monitor import logview, script
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_user,
    put_away,
)
from tests.monitor.test_logs import create_log, store

pytestmark = pytest.mark.django_db
EVIL = "x'; touch pwned; echo $(touch pwned) `touch pwned`\ntouch pwned #"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("views", "jobparts"):
        monkeypatch.setattr(f"monitor.{module}.database_now", lambda: NOW)


# -- the script ----------------------------------------------------------------------------------


def run(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script, in `folder`/work."""
    path = folder / "job.sh"
    path.write_text(text)
    return subprocess.run(
        ["sh", str(path), str(folder / "work")],
        env={"PATH": os.environ["PATH"], "SOFTWARE": str(folder / "sw"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def install_program(folder: Path, text: str) -> None:
    program = folder / "sw" / "Atlas-15" / "i686" / "evgen.py"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def scripted(client: Client, folder: Path, *, adler32: str | None = None) -> str:
    """The script of a job that reads a file of this storage."""
    content = b"some events"
    storage = create_storage(url=f"file://{folder}/se")
    checked = adler32 or f"{zlib.adler32(content):08x}"
    file = create_file("EVNT.1", at=[storage], adler32=checked)
    place = folder / "se" / path_of("mc09", "EVNT.1")
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    job = create_job(
        "failed", inputs=[file], outputs=["HIST.1"], atlas_release="Atlas-15", cmt_config="i686",
        job_parameters="--in EVNT.1 'two words'", core_count=4,
    )  # fmt: skip
    answer = client.get(f"/jobs/{job.pk}/script")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="job-{job.pk}.sh"'
    return answer.text


def test_the_script_runs_what_the_pilot_ran(client: Client, tmp_path: Path) -> None:
    # given
    install_program(tmp_path, 'echo "$1|$2|$3|$OMP_NUM_THREADS|$CMTCONFIG"; cat EVNT.1 > HIST.1')
    # when
    done = run(scripted(client, tmp_path), tmp_path)
    # then
    assert done.returncode == 0, done.stderr
    assert "--in|EVNT.1|two words|4|i686" in done.stdout
    assert (tmp_path / "work" / "HIST.1").read_bytes() == b"some events"


def test_the_script_ends_as_the_payload_does_and_names_what_is_missing(
    client: Client, tmp_path: Path
) -> None:
    install_program(tmp_path, "exit 65")
    done = run(scripted(client, tmp_path), tmp_path)
    assert done.returncode == 65
    assert "it has not made HIST.1" in done.stderr


def test_the_script_refuses_an_input_with_another_checksum(client: Client, tmp_path: Path) -> None:
    install_program(tmp_path, "touch ran")
    done = run(scripted(client, tmp_path, adler32="00000001"), tmp_path)
    assert done.returncode == 1
    assert "has adler32" in done.stderr
    assert not (tmp_path / "work" / "ran").exists()


@pytest.mark.parametrize("where", ["site", "release", "platform", "transformation", "parameters"])
def test_no_text_of_a_job_becomes_a_command(tmp_path: Path, where: str) -> None:
    # given
    texts = {"site": "", "release": "r", "platform": "p", "transformation": "t", "parameters": ""}
    facts = script.Facts(
        panda_id=1, attempt_nr=1, state="failed", cores=1, outputs=[EVIL],
        inputs=[script.Input(lfn=EVIL, url=None, adler32=EVIL, size=None),
                script.Input(lfn="-rf", url=f"file:///{EVIL}", adler32="", size=None)],
        **{**texts, where: EVIL},
    )  # fmt: skip
    (tmp_path / "work").mkdir()
    # when
    run(script.script(facts), tmp_path)
    # then
    assert not list(tmp_path.rglob("pwned"))


# -- the log -------------------------------------------------------------------------------------


def tarball(**members: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return made.getvalue()


@pytest.fixture
def storage(tmp_path: Path) -> StorageElement:
    return create_storage(url=f"file://{tmp_path}")


def with_log(storage: StorageElement, content: bytes) -> Job:
    job = create_job("failed", site=create_site())
    store(Path(storage.url.removeprefix("file://")), create_log(job, 1, storage), content)
    return job


def look(client: Client, job: Job, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/jobs/{job.pk}/logs", {**query, "format": "json"})
    assert answer.status_code == 200, answer.content
    assert client.get(f"/jobs/{job.pk}/logs", query).status_code == 200
    return dict(answer.json())


def test_a_log_is_listed_and_its_errors_are_shown_first(
    client: Client, storage: StorageElement
) -> None:
    # given
    job = with_log(storage, tarball(stdout=b"all well", stderr=b"<b>segfault</b>", core=b"\0\1"))
    # when
    told = look(client, job)
    # then
    assert [m["name"] for m in told["members"]] == ["stdout", "stderr", "core"], "and no link"
    assert told["text"]["text"] == "<b>segfault</b>"
    assert "&lt;b&gt;segfault&lt;/b&gt;" in client.get(f"/jobs/{job.pk}/logs").text
    assert look(client, job, member="core")["text"]["binary"] is True
    assert look(client, job, member="/etc/passwd")["trouble"] == "the log has no file /etc/passwd"
    assert look(client, job, member="link")["trouble"] == "the log has no file link"


def test_a_long_file_is_shown_from_its_end_and_in_parts(
    client: Client, storage: StorageElement
) -> None:
    # given
    job = with_log(storage, tarball(stdout=b"a" * logview.PART + b"the end"))
    # when
    last, first = look(client, job)["text"], look(client, job, member="stdout", start=0)["text"]
    # then
    assert last["text"].endswith("the end") and last["start"] == 7
    assert (first["start"], first["end"]) == (0, logview.PART)
    text = client.get(f"/jobs/{job.pk}/logs?member=stdout&start=0&attempt=1").text
    assert f"attempt=1&amp;member=stdout&amp;start={logview.PART}" in text


def test_a_log_that_blows_up_is_not_unpacked_to_its_end(
    client: Client, storage: StorageElement, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(logview, "MOST_BYTES", 1024 * 1024)
    job = with_log(storage, tarball(first=b"x", bomb=b"\0" * 5_000_000, last=b"y"))
    # when
    told = look(client, job, member="last")
    # then
    assert told["stopped"] == "only its first 1 MiB were looked through"
    assert "download the log" in told["trouble"]
    assert told["members"][0]["name"] == "first"


@pytest.mark.parametrize(
    "content",
    [b"", b"no tarball", tarball(stdout=b"x" * 9999)[:60]],
    ids=["empty", "other", "cut"],  # a tarball has the time of its making in it
)
def test_a_damaged_log_is_said_to_be(
    client: Client, storage: StorageElement, content: bytes
) -> None:
    assert "the tarball is damaged" in look(client, with_log(storage, content))["stopped"]


def test_a_log_that_nobody_has_is_not_there(client: Client) -> None:
    job = create_job("failed", site=create_site())
    assert client.get(f"/jobs/{job.pk}/logs").status_code == 404
    assert client.get(f"/jobs/{job.pk}/logs?start=-1").status_code == 400


# -- tries and likes -------------------------------------------------------------------------------


def test_the_tries_of_one_work_stand_side_by_side_across_the_archive(client: Client) -> None:
    # given
    first = create_job("failed", pilot_error_code=1099)
    second = create_job("failed", retry_of=first.pk, exe_error_code=60010)
    put_away()
    third = create_job("running", retry_of=second.pk)
    # then
    for job in (first, second, third):
        told = client.get(f"/jobs/{job.pk}/?format=json").json()
        assert [one["panda_id"] for one in told["tries"]] == [first.pk, second.pk, third.pk]
    text = client.get(f"/jobs/{second.pk}/").text
    assert "Attempts side by side" in text and f"{second.pk} (this one)" in text
    assert "Attempts side by side" not in client.get(f"/jobs/{create_job().pk}/").text


def test_the_same_error_is_counted_by_site(client: Client) -> None:
    # given
    here, there = create_site("AGLT2"), create_site("LPC")
    job = create_job("failed", site=here, pilot_error_code=1099)
    create_job("failed", site=there, pilot_error_code=1099, at=after(hours=-2))
    create_job("failed", site=there, pilot_error_code=1099, at=after(hours=-30))
    create_job("failed", site=there, pilot_error_code=1100)
    # when
    (told,) = client.get(f"/jobs/{job.pk}/alike?format=json").json()["errors"]
    text = client.get(f"/jobs/{job.pk}/alike").text
    # then
    assert (told["error"], told["jobs"], told["n_sites"]) == ("pilot:1099", 2, 2)
    assert told["sites"] == {"AGLT2": 1, "LPC": 1}
    assert "At 2 sites: it may be the software" in text
    assert "/jobs/?state=failed&amp;error=pilot%3A1099&amp;ended=24h&amp;site=LPC" in text


def test_an_error_that_is_nobody_elses_is_the_jobs_own(client: Client) -> None:
    job = create_job("failed", pilot_error_code=1099)
    assert "it may be this job&#x27;s own" in client.get(f"/jobs/{job.pk}/alike").text
    assert "It carries no error" in client.get(f"/jobs/{create_job('finished').pk}/alike").text


def test_parts_of_a_job_that_is_not_there_are_not_there(client: Client) -> None:
    client.force_login(create_user("alice"))
    for part in ("why", "alike", "samples", "script", "logs"):
        assert client.get(f"/jobs/99/{part}").status_code == 404, part
        assert client.post(f"/jobs/99/{part}").status_code == 405, part
