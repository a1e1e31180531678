"""Messages that say the same become the same, and those that do not stay apart."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors.normal import LONGEST, normalise


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("lost heartbeat", "lost heartbeat"),
        ("wrote 17 of 4,096 events in 3.5 s", "wrote <n> of <n> events in <n> s"),
        ("wn123 is full", "wn<n> is full"),
        ("bad address 0x7fff12AB", "bad address <hex>"),
        ("md5 is d41d8cd98f00b204e9800998ecf8427e", "md<n> is <hex>"),
        ("no 3F2504E0-4f89-11d3-9a0c-0305e82c3301 here", "no <guid> here"),
        ("cannot read /data/pool3/x.y/EVNT.root", "cannot read <path>"),
        ("cannot read '/tmp/a' (denied)", "cannot read '<path>' (denied)"),
        ("EVNT.01234._00017.pool.root.1 is missing", "<lfn> is missing"),
        ("mc09.105001.evgen.EVNT._00001 is missing", "<lfn> is missing"),
        ("athena.py failed", "<lfn> failed"),
        ("mc09.105001.simul.HITS.tid000123 is empty", "<name> is empty"),
        ("no route to se3.example.org:8443", "no route to <host>"),
        ("no route to 10.1.2.3:80", "no route to <ip>"),
        ("srm://se.cern.ch:8443/srm?SFN=/castor/x: timeout", "<url> timeout"),
        ("/DC=ch/DC=cern/OU=Organic Units/CN=alice has no quota", "<dn> has no quota"),
        ("mail alice@example.org", "mail <address>"),
        ("since 2026-11-27T12:00:00Z", "since <time>"),
        ("since 2026-11-27 12:00", "since <time>"),
        ("since 12:00:31", "since <time>"),
        ("PandaID=1234567 was killed", "PandaID=<PandaID> was killed"),
        ("job 10000123 was killed", "job <PandaID> was killed"),
        ("killed by signal 11", "killed by signal 11"),
        ("[Errno 28] no space", "[Errno 28] no space"),
        ("exit code 65 after 100 s", "exit code 65 after <n> s"),
        ("read/write error, and/or timeout", "read/write error, and/or timeout"),
        ("This. And that, e.g. these.", "This. And that, e.g. these."),
        ("two\n  lines\tof text", "two lines of text"),
        ("", ""),
    ],
)
def test_names_and_numbers_make_room(message: str, pattern: str) -> None:
    assert normalise(message) == pattern


def test_failures_of_one_cause_on_many_nodes_are_one() -> None:
    messages = {
        f"copy of EVNT.{n}._{n:05}.pool.root.1 from gsiftp://se{n}.example.org/p/{n} to "
        f"/scratch/panda/{n}: errno 28 after {n} s (PandaID {n})"
        for n in range(10_000, 10_050)
    }
    assert len({normalise(message) for message in messages}) == 1


def test_other_causes_stay_apart() -> None:
    assert normalise("killed by signal 9") != normalise("killed by signal 11")
    assert normalise("Failed to stage in") != normalise("Failed to stage out")


@given(st.text(max_size=600))
def test_any_text_has_a_pattern_of_bounded_length(text: str) -> None:
    pattern = normalise(text)
    assert len(pattern) <= LONGEST
    assert "\0" not in pattern


@pytest.mark.parametrize(
    "piece", ["a.", "a-", "/a", "1.", "/CN=a ", "a/", "x@a.", "_1.", "0x", "job "]
)
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    normalise(piece * 300)
    assert time.process_time() - started < 2  # one that backtracks would need years
