"""Our transformations for real: sandboxes sent over HTTP, jobs submitted, and pilots that run them.

What prun asks for is written here as its task parameters have it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from datasets.models import StorageElement
from datasets.storage import path_of
from jobs import assign, identity, register
from jobs.models import Job
from jobs.trf import ends
from jobs.trf.programs import BUILD, MERGE, RUN
from pandasite.base.clock import database_now
from tests.builders import create_pilot, create_site, create_user, create_vo
from tests.datasets.disks import create_disk, known_file, store
from tests.panda.sandboxes import UPLOAD, archive, name

ROOT = Path(__file__).resolve().parents[2]
SCOPE, DATASET = "user.alice", "user.alice.out"
SCRIPT = b"#!/bin/sh\nfor f in $(echo $1 | tr , ' '); do cat $f; done\necho $2 > extra.log\n"
SOURCES = (("Makefile.sh", b"printf '#!/bin/sh\\necho built $1\\n' > tool; chmod 755 tool\n"),)


class Grid:
    """A site with a disk, a person with a token, and pilots on demand."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.disk: StorageElement = create_disk(folder, "aglt2")
        self.site = create_site("AGLT2", vos=[create_vo()], with_storage=False)
        self.disk.site_storages.create(site=self.site)
        create_pilot(self.site, last_contact=database_now())
        self.token = identity.new_token(create_user("alice"), days=1)
        (folder / "token").write_text(identity.new_pilot_token(self.site))
        (folder / "work").mkdir()
        (folder / "software").mkdir()

    def send(self, content: bytes, number: int, kind: str = "jobO") -> str:
        """Upload a sandbox; its name."""
        archive_name = name(number, kind)
        answer = requests.post(
            self.url + UPLOAD,
            files={"file": (archive_name, content)},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        assert answer.json()["success"] is True, answer.text
        return archive_name

    def submit(self, *jobs: dict[str, Any]) -> list[int]:
        answer = requests.post(
            f"{self.url}/rest/v1/jobs",
            json={"jobs": list(jobs)},
            headers={"Authorization": f"Token {self.token}"},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        assign.run(database_now())
        return [job["panda_id"] for job in answer.json()["jobs"]]

    def fly(self, jobs: int) -> str:
        """A pilot for so many jobs; its log."""
        command = [
            *(sys.executable, "-m", "pilot_client", "--server", self.url, "--site", "AGLT2"),
            *("--token-file", str(self.folder / "token"), "--workdir", str(self.folder / "work")),
            *("--software", str(self.folder / "software"), "--node", "wn01"),
            *("--isolation", "auto", "--max-jobs", str(jobs)),
        ]
        done = subprocess.run(
            command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        register.run(database_now())
        return done.stderr

    def content(self, lfn: str) -> bytes:
        return Path(f"{self.disk.url.removeprefix('file://')}/{path_of(SCOPE, lfn)}").read_bytes()


def job(transformation: str, parameters: str, *outputs: str, inputs: Any = ()) -> dict[str, Any]:
    return {
        "job_name": "user.alice.job",
        "prod_source_label": "panda" if transformation == BUILD else "user",
        "transformation": transformation,
        "job_parameters": parameters,
        "vo": "atlas",
        "site": "AGLT2",
        "max_attempt": 1,
        "input_files": [{"scope": scope, "lfn": lfn} for scope, lfn in inputs],
        "output_files": [{"lfn": lfn, "scope": SCOPE, "dataset": DATASET} for lfn in outputs],
    }


@pytest.fixture
def grid(transactional_db: None, live_server: Any, tmp_path: Path, settings: Any) -> Grid:
    settings.PANDASITE_SANDBOXES = str(tmp_path / "sandboxes")
    settings.PANDASITE = {**settings.PANDASITE, "SANDBOX_FREE_MB": 0}
    return Grid(live_server.url, tmp_path)


def test_a_pilot_runs_the_users_command_on_its_inputs_without_a_network(grid: Grid) -> None:
    # given two inputs, and a sandbox with a script in a folder
    one, two = known_file(b"one\n", lfn="in.1"), known_file(b"two\n", lfn="in.2")
    for file, content in ((one, b"one\n"), (two, b"two\n")):
        store(grid.disk, file, content)
    sent = grid.send(archive(("d/run.sh", SCRIPT)), 1)
    parameters = (
        f'-j "" --sourceURL http://127.0.0.1:1 -r d -a {sent} '
        "-o \"{'out.txt': 'user.alice.1._000001.out.txt', '*.log': 'user.alice.1.log.tgz'}\" "
        f"-i \"['in.1', 'in.2']\" -p \"./run.sh%20%25IN%20%25FIRSTEVENT%20%3E%20out.txt\""
    )
    wanted = ("user.alice.1._000001.out.txt", "user.alice.1.log.tgz")
    inputs = [(file.scope, file.lfn) for file in (one, two)]

    # when
    grid.submit(job(RUN, parameters, *wanted, inputs=inputs))
    log = grid.fly(1)

    # then
    ended = Job.objects.get()
    assert (ended.state, ended.transformation) == ("finished", RUN), log
    assert grid.content(wanted[0]) == b"one\ntwo\n"
    assert grid.content(wanted[1]).startswith(b"\x1f\x8b")
    assert list((grid.folder / "work").iterdir()) == []


def test_a_library_is_built_used_and_its_results_are_merged(grid: Grid) -> None:
    # given
    sent = grid.send(archive(*SOURCES), 2, kind="sources")
    run = "-l user.alice.lib.tgz -r . -o \"{{'o': 'user.alice.{0}.o'}}\" -p \"./tool%20{0}%20%3Eo\""
    lib = [(SCOPE, "user.alice.lib.tgz")]

    # when
    build = (
        f'-i {sent} -o user.alice.lib.tgz --sourceURL {grid.url} -r . --bexec "sh%20Makefile.sh"'
    )
    grid.submit(job(BUILD, build, "user.alice.lib.tgz"))
    logs = [grid.fly(1)]
    parts = [f"user.alice.{n}.o" for n in (1, 2)]
    grid.submit(*(job(RUN, run.format(n), f"user.alice.{n}.o", inputs=lib) for n in (1, 2)))
    logs.append(grid.fly(2))
    merge = f"-r . --trn \"{{'user.alice.all': {parts}}}\""
    grid.submit(job(MERGE, merge, "user.alice.all", inputs=[(SCOPE, part) for part in parts]))
    logs.append(grid.fly(1))

    # then
    assert set(Job.objects.values_list("state", flat=True)) == {"finished"}, logs
    assert grid.content("user.alice.all") == b"built 1\nbuilt 2\n"


def test_what_goes_wrong_has_a_code_that_says_whose_fault_it_is(grid: Grid) -> None:
    # given the user's own exit code, an output that is not made, and a sandbox that is gone
    sent, gone = grid.send(archive(("x", b"x")), 3), grid.send(archive(("y", b"y")), 4)
    parameters = "-a {} --sourceURL http://127.0.0.1:1 -o \"{{'o': '{}'}}\" -p \"{}\""
    submitted = grid.submit(
        job(RUN, parameters.format(sent, "o.1", "exit%2042"), "o.1"),
        job(RUN, parameters.format(sent, "o.2", "true"), "o.2"),
        job(RUN, parameters.format(gone, "o.3", "true"), "o.3"),
    )
    (grid.folder / "sandboxes" / gone).unlink()

    # when
    grid.fly(3)

    # then
    ended = {row.pk: row for row in Job.objects.all()}
    own, without, lost = (ended[panda_id] for panda_id in submitted)
    assert {row.state for row in ended.values()} == {"failed"}
    assert (own.exe_error_code, own.exe_error_diag[:12]) == (69999, "exit code 42")
    assert without.exe_error_code == ends.EXE + ends.NO_OUTPUT
    assert "made no o" in without.exe_error_diag
    assert (lost.pilot_error_code, "answers 404" in lost.pilot_error_diag) == (1149, True)


def test_a_sandbox_of_somebody_else_is_refused_at_submission(grid: Grid) -> None:
    sent = grid.send(archive(("x", b"x")), 5)
    bob = identity.new_token(create_user("bob"), days=1)

    answer = requests.post(
        f"{grid.url}/rest/v1/jobs",
        json={"jobs": [job(RUN, f"-a {sent} -p ls")]},
        headers={"Authorization": f"Token {bob}"},
        timeout=30,
    )

    assert answer.status_code == 400
    assert answer.json()["code"] == "unknown_sandbox"
    assert answer.json()["fields"][0]["field"] == "jobs[0].job_parameters"
