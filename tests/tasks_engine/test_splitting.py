"""Cutting work: every event and every file in exactly one piece, whatever the sizes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobs.tasks_engine.splitting import (
    GB,
    InFile,
    Rule,
    by_events,
    by_files,
    events_of,
    in_turn,
    parts,
)

sizes = st.lists(st.integers(min_value=0, max_value=5 * GB), max_size=60)
rules = st.builds(
    Rule,
    files=st.integers(min_value=0, max_value=7),
    gb=st.sampled_from([0, 0.5, 2, 6.5]),
    events=st.just(0),
)
events = st.lists(st.integers(min_value=0, max_value=400), max_size=40)


@given(
    total=st.integers(min_value=1, max_value=500),
    per_piece=st.integers(min_value=1, max_value=80),
    steps=st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=600),
)
def test_every_event_is_in_exactly_one_piece_however_often_cutting_stops(total, per_piece, steps):
    events: list[int] = []
    for most in [*steps, 1000]:
        for span in by_events(total=total, per_piece=per_piece, cut=len(events), most=most):
            assert 1 <= span.n <= per_piece
            events += range(span.first, span.first + span.n)

    assert events == list(range(1, total + 1))


@given(sizes=sizes, rule=rules, arrivals=st.lists(st.integers(min_value=0, max_value=60)))
def test_every_file_is_in_exactly_one_piece_however_files_arrive(sizes, rule, arrivals):
    files = [InFile(key, size) for key, size in enumerate(sizes)]
    cut: list[list[InFile]] = []

    def taken() -> int:
        return sum(map(len, cut))

    for there in sorted(min(n, len(files)) for n in arrivals):
        cut += by_files(files[taken() : there], rule, more_to_come=True, most=5)
    cut += by_files(files[taken() :], rule, more_to_come=False, most=1000)

    assert [file for group in cut for file in group] == files
    assert all(cut)


@given(sizes=sizes, rule=rules)
def test_a_piece_keeps_both_limits_unless_one_file_alone_is_too_large(sizes, rule):
    files = [InFile(key, size) for key, size in enumerate(sizes)]

    groups = by_files(files, rule, more_to_come=False, most=1000)

    for group in groups:
        assert len(group) <= rule.most_files
        assert len(group) == 1 or not rule.gb or sum(f.size for f in group) <= rule.gb * GB
    for one, following in pairwise(groups):  # and none is smaller than it has to be
        full = len(one) == rule.most_files
        heavy = rule.gb and sum(f.size for f in one) + following[0].size > rule.gb * GB
        filled = rule.gb and sum(f.size for f in one) >= rule.gb * GB
        assert full or heavy or filled


@given(sizes=sizes, rule=rules)
def test_while_files_are_to_come_only_full_pieces_are_cut(sizes, rule):
    files = [InFile(key, size) for key, size in enumerate(sizes)]

    now = by_files(files, rule, more_to_come=True, most=1000)
    whole = by_files(files, rule, more_to_come=False, most=1000)

    assert now == whole[: len(now)]
    assert len(whole) - len(now) <= 1


@given(events=events, per_job=st.integers(min_value=1, max_value=120))
def test_every_event_of_every_file_is_in_exactly_one_piece(events, per_job):
    files = [InFile(key, 10, events=n) for key, n in enumerate(events)]
    cut = [part for file in files for part in parts(file, per_job)]

    groups = by_files(cut, Rule(events=per_job), more_to_come=False, most=10_000)

    read = [
        (f.key, max(1, f.first) + i) for group in groups for f in group for i in range(f.events)
    ]
    assert read == [(file.key, i + 1) for file in files for i in range(file.events)]
    for group in groups:
        assert events_of(group) <= per_job
        # a job can say what to skip of one file alone, and nothing of files nobody has counted
        alone = any(f.first or not f.events for f in group)
        assert len(group) == 1 or not alone


@given(
    n=st.integers(min_value=1, max_value=20),
    serial=st.integers(min_value=1, max_value=10**6),
    per_piece=st.integers(min_value=1, max_value=30),
)
def test_secondary_files_are_read_once_by_a_job(n, serial, per_piece):
    taken = in_turn(range(n), serial=serial, per_piece=per_piece)

    assert len(taken) == len(set(taken)) == min(n, per_piece)
