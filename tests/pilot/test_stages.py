"""Stage in and stage out: whole files with the right sums, or a clear error."""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from typing import Any

from tests.pilot.fake_server import FakeServer
from tests.pilot.harness import Site


def run(site: Site, server: FakeServer, job: dict[str, Any], *more: str) -> dict[str, Any]:
    """Run this one job; its final report."""
    server.jobs.append(job)
    ended = site.run(server, *more)
    assert ended.code == 0, ended.log
    return server.final()


def test_a_job_reads_its_input_and_stores_its_output(server: FakeServer, site: Site) -> None:
    # given
    source = site.put("mc08/in/EVNT.1", b"hello")
    script = (
        'cp EVNT.1 HIST.1; echo \'{"exitCode": 0, "files": {"HIST.1": {"events": 7}}}\''
        " > jobReport.json; test -L EVNT.1 && echo linked"
    )
    job = site.job(script, outputs=("HIST.1",), input_files=[source])

    # when
    final = run(site, server, job)

    # then
    stored = site.storage / "mc08/d/HIST.1"
    assert stored.read_bytes() == b"hello"
    assert final["state"] == "finished"
    assert final["exit_code"] == 0
    [output] = final["output_files"]
    assert output["size"] == 5
    assert output["adler32"] == f"{zlib.adler32(b'hello'):08x}"
    assert output["events"] == 7
    assert len(output["guid"]) == 36
    assert final["start_time"] < final["end_time"]
    assert site.leftovers() == []
    assert sorted(os.listdir(stored.parent)) == ["HIST.1"]
    assert "linked" in log_of(site)["payload.stdout"]


def log_of(site: Site) -> dict[str, str]:
    """The members of the log tarball by their short name."""
    content = (site.storage / "mc08/log/log.1.tgz").read_bytes()
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read().decode()
    return found


def test_the_log_of_a_failed_job_is_stored_too(server: FakeServer, site: Site) -> None:
    # given
    job = site.job("echo out; echo err >&2; echo gen > pythia.log; ln -s / a.log; exit 3")

    # when
    final = run(site, server, job)

    # then
    members = log_of(site)
    assert sorted(members) == ["payload.stderr", "payload.stdout", "pilot.log", "pythia.log"]
    assert members["payload.stdout"] == "out\n"
    assert final["log_file"]["lfn"] == "log.1.tgz"
    assert final["log_file"]["size"] == (site.storage / "mc08/log/log.1.tgz").stat().st_size


def test_inputs_can_be_copied_instead(server: FakeServer, site: Site) -> None:
    # given a payload that changes its input
    source = site.put("in/EVNT.1", b"hello")
    job = site.job("test -L EVNT.1 && exit 9; echo changed > EVNT.1", input_files=[source])

    # when
    final = run(site, server, job, "--copy-inputs")

    # then the storage is untouched
    assert final["state"] == "finished"
    assert (site.storage / "in/EVNT.1").read_bytes() == b"hello"


BAD_INPUTS: list[tuple[dict[str, Any], int, str]] = [
    ({"adler32": "00000001"}, 1171, "has adler32"),
    ({"size": 4}, 1099, "has 5 bytes, 4 expected"),
    ({"path": "in/nowhere"}, 1331, "is not in the local storage"),
    ({"path": "../token"}, 1319, "leads elsewhere"),
    ({"lfn": "../state.json"}, 1319, "which is not allowed"),
]


def test_a_bad_input_fails_the_job_before_the_payload(server: FakeServer, site: Site) -> None:
    # given
    source, ran = site.put("in/EVNT.1", b"hello"), site.root / "ran"
    jobs = [site.job(f"touch {ran}", input_files=[source | change]) for change, _, _ in BAD_INPUTS]

    # when
    finals = site.run_all(server, jobs)

    # then
    for final, (_, code, words) in zip(finals, BAD_INPUTS, strict=True):
        assert final["state"] == "failed"
        assert final["pilot_error_code"] == code
        assert words in final["pilot_error_diag"]
        assert "exe_error_code" not in final
    assert not ran.exists()


def test_a_missing_output_fails_the_job_and_is_named(server: FakeServer, site: Site) -> None:
    # given
    job = site.job("echo one > HIST.1", outputs=("HIST.1", "HIST.2", "HIST.3"))

    # when
    final = run(site, server, job)

    # then one error is set, and nothing was stored
    assert final["state"] == "failed"
    assert final["exit_code"] == 0
    assert final["pilot_error_code"] == 1165
    assert final["pilot_error_diag"] == "no output HIST.2, HIST.3"
    assert "exe_error_code" not in final
    assert "output_files" not in final
    assert not (site.storage / "mc08/d").exists()


def test_a_payload_cannot_have_the_pilot_read_a_file_for_it(server: FakeServer, site: Site) -> None:
    # given a payload that links its output, and its report, to the pilot's token
    script = f"ln -s {site.token_file} HIST.1; ln -s {site.token_file} jobReport.json"

    # when
    final = run(site, server, site.job(script, outputs=("HIST.1",)))

    # then
    assert final["pilot_error_code"] == 1303
    assert not (site.storage / "mc08/d/HIST.1").exists()
    assert "jobReport.json" not in log_of(site)


def test_an_output_that_cannot_be_stored_fails_the_job(server: FakeServer, site: Site) -> None:
    # given a pipe, a folder that is a file, and a storage that is not mounted
    site.put("mc08/full", b"in the way")
    elsewhere = {"name": "SE", "url": "srm://somewhere/else"}
    blocked = {"lfn": "HIST.1", "path": "mc08/full/HIST.1"}
    jobs = [
        site.job(transformation=site.transformation("mkfifo HIST.1", name="pipe.sh")),
        site.job(transformation=site.transformation("echo one > HIST.1", name="one.sh")),
        site.job(storage=elsewhere),
    ]
    jobs[0]["output_files"] = jobs[1]["output_files"] = [blocked]

    # when
    pipe, full, far = site.run_all(server, jobs)

    # then
    assert pipe["pilot_error_diag"] == "HIST.1 is not a regular file"
    assert full["pilot_error_code"] == 1137
    assert "cannot store HIST.1" in full["pilot_error_diag"]
    assert far["pilot_error_code"] == 1313
