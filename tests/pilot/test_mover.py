"""PandaMover for real: a pilot claims the job over HTTP, copies, and the file is registered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.demand import request_transfers
from datasets.models import MoverRule, Replica, StorageElement, Transfer
from jobs import assign, identity, mover, register
from jobs.models import Job
from pandasite.base.clock import database_now
from pandasite.demo.software import transformations
from tests.builders import create_pilot, create_site, create_vo
from tests.datasets.disks import CONTENT, create_disk, known_file, store, where

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def software(tmp_path: Path) -> Path:
    """A release with the mover, as a site installs it."""
    release = tmp_path / "software" / "1" / "any"
    release.mkdir(parents=True)
    for name in ("jobreport.py", "mover.py"):
        shutil.copy(transformations() / name, release / name)
    text = (release / "mover.py").read_text().partition("\n")[2]
    (release / "mover.py").write_text(f"#!{sys.executable}\n{text}")
    (release / "mover.py").chmod(0o755)
    return tmp_path / "software"


def run_pilot(url: str, folder: Path, software: Path) -> str:
    """One job of AGLT2; the pilot's log."""
    work, token = folder / "work", folder / "token"
    work.mkdir()
    command = [
        *(sys.executable, "-m", "pilot_client", "--server", url, "--site", "AGLT2", "--once"),
        *("--token-file", str(token), "--workdir", str(work), "--software", str(software)),
        *("--labels", "ddm", "--node", "wn01", "--isolation", "auto"),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def channel(transactional_db: None, tmp_path: Path) -> tuple[StorageElement, StorageElement]:
    """From BNL to what AGLT2 writes to, by PandaMover."""
    source, here = create_disk(tmp_path, "bnl"), create_disk(tmp_path, "aglt2")
    site = create_site("AGLT2", vos=[create_vo()], with_storage=False)
    here.site_storages.create(site=site)
    create_pilot(site, last_contact=database_now())
    MoverRule.objects.create(destination=here)
    token = tmp_path / "token"
    token.write_text(identity.new_pilot_token(site))
    token.chmod(0o600)
    return source, here


def test_a_pilot_brings_the_files_of_a_mover_job(channel, live_server, tmp_path, software):
    # given
    source, here = channel
    files = [known_file(), known_file()]
    for file in files:
        store(source, file)
    request_transfers(files, here, now=database_now())
    assert mover.run(database_now()) == 2
    assign.run(database_now())
    # when
    log = run_pilot(live_server.url, tmp_path, software)
    register.run(database_now())
    mover.run(database_now())
    # then
    assert Job.objects.get().state == "finished", log
    assert [where(here, file).read_bytes() for file in files] == [CONTENT, CONTENT]
    assert set(Transfer.objects.values_list("state", flat=True)) == {"done"}
    good = Replica.objects.filter(storage=here, file__in=files, state="available")
    assert good.count() == 2


def test_a_corrupted_source_is_found_by_the_pilot_and_said(
    channel, live_server, tmp_path, software
):
    source, here = channel
    file = known_file()
    store(source, file).write_bytes(CONTENT[:-1] + b"x")
    request_transfers([file], here, now=database_now())
    mover.run(database_now())
    assign.run(database_now())

    run_pilot(live_server.url, tmp_path, software)
    register.run(database_now())
    mover.run(database_now())

    transfer = Transfer.objects.get()
    assert (transfer.state, transfer.attempts) == ("queued", 1)
    assert "the catalogue says" in transfer.error
    assert not where(here, file).exists()
    assert not Replica.objects.filter(storage=here, file=file).exists()
