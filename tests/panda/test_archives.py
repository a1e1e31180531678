"""Archives that are refused as sandboxes, and those that are taken."""

from __future__ import annotations

import tarfile
import tracemalloc

import pytest

from jobs.sandboxes import archive as look
from jobs.sandboxes.names import MB
from tests.panda.calls import token_of_a_person, told
from tests.panda.sandboxes import (
    GOOD,
    archive,
    gzip_of,
    kept,
    member,
    name,
    refusal,
    upload,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("folder")]
LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


def linked(path: str, target: str, kind: bytes = LINK) -> tarfile.TarInfo:
    return member(path, type=kind, linkname=target)


BAD = {
    "no gzip": b"#!/bin/sh\n",
    "empty": b"",
    "cut off": GOOD[:-9],
    "no tar": gzip_of(b"x" * 5000),
    "two gzips": GOOD + GOOD,
    "something behind": GOOD + b"x",
    "checksum": GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:],
    "up": archive(("../x", b"x")),
    "up later": archive(("a/../../x", b"x")),
    "absolute": archive(("/tmp/x", b"x")),
    "long name": archive(("a/" * 600 + "x", b"x")),
    "link up": archive(linked("l", "../x")),
    "link up from a folder": archive(linked("d/l", "../../x")),
    "link to the root": archive(linked("l", "/etc/passwd")),
    "link over a link": archive(linked("l", "."), linked("m", "l/..")),
    "behind a link": archive(linked("l", "."), ("l/x", b"x")),
    "hard link up": archive(linked("l", "../x", HARD)),
    "hard link over a link": archive(linked("l", "."), linked("h", "l/x", HARD)),
    "device": archive(member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "pipe": archive(member("pipe", type=tarfile.FIFOTYPE)),
    "sparse": archive(member("sparse", type=tarfile.GNUTYPE_SPARSE)),
}


@pytest.mark.parametrize("what", BAD)
def test_an_archive_that_is_none_or_leads_out_is_refused_and_nothing_is_left(folder, what):
    refusal(upload(BAD[what], name(), by=token_of_a_person()), folder)


def test_an_archive_that_unpacks_to_far_more_is_refused_and_nothing_is_left(folder):
    bomb = gzip_of(bytes(120_000_000))

    refusal(upload(bomb, name(), by=token_of_a_person()), folder)


def test_a_header_that_would_fill_the_memory_is_refused(folder):
    big = member("pax", type=tarfile.XHDTYPE, size=64 * MB)

    refusal(upload(archive(big), name(), by=token_of_a_person()), folder)


def test_an_archive_is_looked_through_without_being_held_in_memory(tmp_path):
    (tmp_path / "x").write_bytes(archive(*((f"f{n}", bytes(10 * MB)) for n in range(9))))
    tracemalloc.start()
    try:
        look.look_through(tmp_path / "x", most=100 * MB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 4 * MB


def test_more_members_than_may_be_are_refused(folder, monkeypatch):
    monkeypatch.setattr(look, "MEMBERS_MAX", 3)
    four = archive(*((f"f{n}", b"x") for n in range(4)))

    assert "members" in refusal(upload(four, name(), by=token_of_a_person()), folder)


@pytest.mark.parametrize(
    "good",
    [
        archive(),
        archive(("d/e/f", b"x"), linked("l", "d/e"), linked("d/e/up", "../../d/e/f")),
        archive(("f", b"x"), linked("h", "f", HARD), member("d/", type=tarfile.DIRTYPE)),
        archive((f"{'long' * 60}/f", b"x")),
    ],
    ids=["empty", "links inside", "hard link and folder", "long names"],
)
def test_links_that_stay_inside_and_long_names_are_taken(folder, good):
    assert told(upload(good, name(), by=token_of_a_person()))["success"] is True
    assert kept(folder) == [name()]
