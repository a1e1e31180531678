"""Storage compared with the catalogue: what is found, and what is done when somebody asks."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from datasets import consistency, findings
from datasets.models import Replica, StorageCheck, StorageFinding, Transfer
from datasets.storage import path_of
from pandasite.base.models import AuditLine
from tests.builders import create_replica, create_transfer
from tests.datasets.disks import CONTENT, create_disk, known_file, root, store, where

pytestmark = pytest.mark.django_db
START = dt.datetime(2009, 9, 17, 12, 0, tzinfo=dt.UTC)
OLD = (START - dt.timedelta(days=2)).timestamp()


@pytest.fixture
def disk(tmp_path: Path) -> Any:
    return create_disk(tmp_path, "bnl")


def at(hours: float) -> dt.datetime:
    return START + dt.timedelta(hours=hours)


def check(disk: Any, hours: float = 0, *, seconds: float = 60) -> StorageCheck:
    return consistency.check(disk, now=at(hours), seconds=seconds)


def lay(disk: Any, path: str, *, changed: float = OLD) -> Path:
    """A file at a disk that nobody knows of."""
    file = root(disk) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(CONTENT)
    os.utime(file, (changed, changed))
    return file


def found() -> list[tuple[str, str, int]]:
    rows = StorageFinding.objects.filter(resolved_at=None).order_by("kind", "path")
    return list(rows.values_list("kind", "path", "sightings"))


def test_a_storage_that_is_as_the_catalogue_says_has_no_findings(disk):
    for _ in range(3):
        store(disk, known_file())

    state = check(disk)

    assert found() == []
    assert (state.replicas_seen, state.stored_seen, state.ended_at) == (3, 3, START)


def test_what_is_stored_and_unknown_is_dark_and_what_is_known_and_not_stored_is_lost(disk):
    store(disk, known_file())
    gone = known_file(lfn="gone")
    path = str(store(disk, gone).relative_to(root(disk)))
    where(disk, gone).unlink()
    lay(disk, "mc09/aa/bb/dark.1")

    check(disk)
    check(disk, 1)

    assert found() == [("dark", "mc09/aa/bb/dark.1", 2), ("lost", path, 2)]


@pytest.mark.parametrize("scope", ["user.alice", "group.phys-higgs.x", "odd..scope."])
def test_a_scope_of_several_words_has_its_files_in_deeper_folders(disk, scope):
    known, coming = known_file(scope=scope), known_file(scope=scope)
    for file in (known, coming):
        os.utime(store(disk, file), (OLD, OLD))
    Replica.objects.filter(file=coming).delete()
    create_transfer(coming, disk)

    check(disk)
    check(disk, 1)
    removed = findings.remove_dark(
        disk, older_than=dt.timedelta(0), actor="a", reason="r", now=at(1)
    )

    assert StorageFinding.objects.get().path == path_of(scope, coming.lfn)
    assert removed == 0
    assert where(disk, known).exists() and where(disk, coming).exists()


def test_a_file_that_was_cut_short_is_lost_and_it_is_said_how(disk):
    store(disk, known_file())
    short = known_file(lfn="short")
    store(disk, short, CONTENT[:100])

    check(disk)

    finding = StorageFinding.objects.get()
    assert (finding.kind, finding.file) == ("lost", short)
    assert finding.resolution == f"100 bytes are stored, the catalogue says {len(CONTENT)}"


def test_a_file_at_another_place_than_its_own_is_dark(disk):
    store(disk, known_file(lfn="f"))
    lay(disk, "mc09/00/00/f")

    check(disk)

    assert found() == [("dark", "mc09/00/00/f", 1)]


def test_copies_on_their_way_and_young_files_are_no_findings(disk):
    lay(disk, "mc09/aa/bb/.f.t1.1.part")
    lay(disk, "mc09/aa/bb/young", changed=START.timestamp() - 60)

    check(disk)

    assert found() == []


def test_a_finding_that_the_next_check_does_not_meet_is_resolved(disk):
    file = known_file()
    store(disk, file)
    where(disk, file).rename(root(disk) / "away")
    dark = lay(disk, "mc09/aa/bb/dark.1")
    check(disk)
    assert len(found()) == 2

    (root(disk) / "away").rename(where(disk, file))
    dark.unlink()
    check(disk, 1)

    assert found() == []
    assert set(StorageFinding.objects.values_list("resolution", flat=True)) == {"not found again"}


def test_a_check_goes_on_where_it_stopped(disk, monkeypatch):
    monkeypatch.setattr(consistency, "BATCH", 2)
    for _ in range(7):
        store(disk, known_file())
    for n in range(5):
        lay(disk, f"mc09/a{n}/bb/dark")

    rounds = 0
    while check(disk, rounds, seconds=0.0001).ended_at is None:
        rounds += 1
        assert rounds < 100

    assert rounds > 1
    state = StorageCheck.objects.get()
    assert (state.replicas_seen, state.stored_seen) == (7, 12)
    assert [sightings for _, _, sightings in found()] == [1] * 5


def test_an_empty_mount_makes_nothing_lost(disk):
    file = known_file()
    store(disk, file)
    where(disk, file).unlink()
    for folder in sorted(root(disk).rglob("*"), reverse=True):
        folder.rmdir()

    state = check(disk)

    assert "looks empty" in state.error
    assert (found(), state.ended_at) == ([], None)


def test_a_storage_that_is_away_is_said_and_nothing_is_found(disk):
    store(disk, known_file())
    root(disk).rename(root(disk).with_name("away"))

    assert check(disk).error
    assert found() == []


def test_lost_files_come_from_elsewhere_or_are_listed_when_two_checks_missed_them(disk, tmp_path):
    # given: one that CERN has too, and one that nobody else has
    cern = create_disk(tmp_path, "cern")
    both, alone = known_file(), known_file()
    for file in (both, alone):
        store(disk, file)
        where(disk, file).unlink()
    create_replica(both, cern)
    store(disk, known_file())
    check(disk)
    # when: one sighting is not enough
    nothing = findings.declare_lost(disk, actor="alice", reason="disk 7 died", now=at(0))
    check(disk, 1)
    declared = findings.declare_lost(disk, actor="alice", reason="disk 7 died", now=at(1))
    # then
    assert (nothing.asked, nothing.alone) == (0, 0)
    assert (declared.asked, declared.alone) == (1, 1)
    bad = Replica.objects.filter(storage=disk, state="bad")
    assert set(bad.values_list("reason", flat=True)) == {"lost: disk 7 died"}
    assert bad.count() == 2
    transfer = Transfer.objects.get()
    assert (transfer.file, transfer.destination, transfer.state) == (both, disk, "queued")
    assert list(findings.lost_files()) == [alone]
    assert StorageFinding.objects.get(resolved_at=None).file == alone
    line = AuditLine.objects.get()
    assert (line.actor_name, line.reason) == ("alice", "disk 7 died")
    assert line.facts == {"asked": 1, "alone": 1}
    again = findings.declare_lost(disk, actor="alice", reason="again", now=at(2))
    assert (again.asked, again.alone) == (0, 0)
    check(disk, 3)
    assert StorageFinding.objects.get(resolved_at=None).file == alone
    create_replica(alone, cern)
    check(disk, 4)
    assert not StorageFinding.objects.filter(resolved_at=None).exists()


def test_dark_files_are_removed_when_asked_and_old_and_seen_twice(disk):
    old = lay(disk, "mc09/aa/bb/old")
    check(disk)
    once = findings.remove_dark(
        disk, older_than=dt.timedelta(0), actor="alice", reason="full", now=at(0)
    )
    astray = lay(disk, "mc09/astray")
    lay(disk, "mc09/aa/bb/new")
    check(disk, 24)
    check(disk, 48)

    removed = findings.remove_dark(
        disk, older_than=dt.timedelta(hours=30), actor="alice", reason="full", now=at(48)
    )

    assert (once, removed) == (0, 1)
    assert not old.exists()
    assert found() == [("dark", "mc09/aa/bb/new", 2), ("dark", "mc09/astray", 2)]
    findings.remove_dark(
        disk, older_than=dt.timedelta(0), actor="alice", reason="astray", now=at(48)
    )
    assert not astray.exists()
    first = AuditLine.objects.earliest("pk")
    assert first.facts == {"files": 1, "bytes": len(CONTENT)}


def test_a_dark_file_that_has_become_known_or_is_coming_is_not_removed(disk):
    known, coming = known_file(), known_file()
    for file in (known, coming):
        path = store(disk, file)
        os.utime(path, (OLD, OLD))
    Replica.objects.all().delete()
    check(disk)
    check(disk, 1)
    assert len(found()) == 2
    create_replica(known, disk)
    create_transfer(coming, disk)

    removed = findings.remove_dark(
        disk, older_than=dt.timedelta(0), actor="a", reason="r", now=at(1)
    )

    assert removed == 0
    assert where(disk, known).exists()
    assert where(disk, coming).exists()


def test_the_command_checks_and_acts_only_as_it_is_told(disk, capsys):
    dark = lay(disk, "mc09/aa/bb/dark")
    call_command("check_storage", "bnl")
    call_command("check_storage", "bnl")
    assert dark.exists()
    with pytest.raises(CommandError, match="needs a --reason"):
        call_command("check_storage", "bnl", "--remove-dark", "0")

    call_command("check_storage", "bnl", "--remove-dark", "0", "--reason", "full")

    assert not dark.exists()
    said = capsys.readouterr().out
    assert "dark: 1, of those 1 seen by two checks" in said
    assert "removed: 1 dark files" in said


def test_the_sweep_checks_what_was_not_checked_for_a_week(disk, tmp_path):
    other = create_disk(tmp_path, "cern")

    done = [consistency.run(at(0)), consistency.run(at(0)), consistency.run(at(1))]

    assert done == [1, 1, 0]
    ended = StorageCheck.objects.values_list("storage", "ended_at")
    assert dict(ended) == {disk.pk: at(0), other.pk: at(0)}
    assert consistency.run(at(169)) == 1
