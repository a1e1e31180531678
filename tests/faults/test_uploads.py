"""F25: the disk where sandboxes go is full, and only who sends one notices."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from jobs import identity
from jobs.models import Sandbox
from tests.faults.asking import CLAIM
from tests.faults.books import Books
from tests.faults.pilots import facts, new_key
from tests.faults.site import PATIENT
from tests.faults.sizes import quick
from tests.panda.sandboxes import UPLOAD, archive, name

DISK_MB, SENT_MB = 20, 6
# A disk of so many MB that only this process and its children see. Who is root needs no user
# namespace, and would not be let through to the servers in one: they run as somebody else.
AS_ROOT = () if os.geteuid() == 0 else ("--user", "--map-root-user")
ON_A_SMALL_DISK = (
    "unshare", *AS_ROOT, "--mount", "sh", "-c",
    f'mount -t tmpfs -o size={DISK_MB}m none "$0" && exec "$@"',
)  # fmt: skip


@pytest.fixture
def small(patient: Books, tmp_path: Path) -> Iterator[tuple[Books, Path]]:
    """The site, whose web server has its sandboxes on a small disk; and the disk, as it sees it."""
    disk = tmp_path / "sandboxes"
    disk.mkdir()
    if subprocess.run([*ON_A_SMALL_DISK, str(disk), "true"], check=False).returncode:
        pytest.skip("this machine lets nobody have a disk of his own")
    site = patient.site
    limits = {"PANDASITE_SANDBOXES": str(disk), "PANDASITE_SANDBOX_FREE_MB": "0"}
    site.kill_piece("web")
    site.limits = PATIENT | limits
    command = site.command("web")
    site.start("web", replace(command, argv=(*ON_A_SMALL_DISK, str(disk), *command.argv)))
    site.await_web()
    yield patient, Path(f"/proc/{site.pieces['web'].pid}/root{disk}")
    site.kill_piece("web")


def sandbox() -> bytes:
    return archive(("noise", random.Random(25).randbytes(SENT_MB * 1024 * 1024)))


def send(url: str, content: bytes, number: int, token: str) -> Any:
    return requests.post(
        url.rstrip("/") + UPLOAD,
        files={"file": (name(number, "sources"), content)},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )


@quick
def test_a_full_disk_is_told_to_who_sends_a_sandbox_and_stops_nobody_else(
    small: tuple[Books, Path],
) -> None:
    # given jobs, a pilot that runs one of them, and somebody who sends sandboxes
    site, disk = small
    place = site.place()
    site.activated(place, 2)
    pilot = site.pilot(place)
    job = pilot.claim()
    assert job is not None
    with site.site.books():
        token = identity.new_token(identity.person("faults-sender"), days=1)
    content = sandbox()

    # when more come than there is room for, and pilots call meanwhile
    answers, beats, claims = [], [], []
    for number in range(1, 6):
        answers.append(send(site.site.url, content, number, token))
        beats.append(pilot.report(job, "running", seq=number).status)
        body = facts(place, node="wn2", pilot_id="p2")
        claims.append(pilot.asker.insist("claim", CLAIM, body, key=new_key()).status)

    # then
    said = site.site.trouble_in_logs()
    assert [answer.status_code for answer in answers] == [200] * 3 + [507] * 2, said
    assert "no room" in answers[-1].json()["message"]
    assert set(beats) == set(claims) == {200}
    whole = [name(number, "sources") for number in (1, 2, 3)]
    assert sorted(path.name for path in disk.iterdir()) == whole
    with site.site.books():
        assert list(Sandbox.objects.order_by("name").values_list("name", flat=True)) == whole


PLAIN = "import sys; open(sys.argv[1], 'wb').write(bytes(30_000_000))"


@quick
def test_without_a_hidden_name_a_part_of_the_file_would_be_seen(tmp_path: Path) -> None:
    """The control: the content is written under its name as it comes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    look = f'{sys.executable} -c "{PLAIN}" {disk}/sandbox 2>/dev/null; wc -c < {disk}/sandbox'
    done = subprocess.run(
        [*ON_A_SMALL_DISK, str(disk), "sh", "-c", look], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("this machine lets nobody have a disk of his own")

    assert 0 < int(done.stdout) < 30_000_000
