"""The figures of the table, in groups that share their data and their baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.bed import Bed
from benchmarks.figures import (
    backlog,
    bamboo,
    beside,
    brokering,
    claim,
    counting,
    living,
    monitor,
    moving,
    reports,
    submission,
    sweeping,
)
from benchmarks.result import Figure


@dataclass(frozen=True)
class Group:
    """Figures that one function measures together."""

    figures: Sequence[str]
    run: Callable[[Bed], Iterator[Figure]]


GROUPS = (
    Group(("claim_sql", "claim_together", "claim_http", "claim_p99", "claim_bulk"), claim.run),
    Group(("claim_http_1m",), backlog.long_queue),
    Group(("claim_http_nonmatching",), backlog.bad_head),
    Group(("claim_with_report",), backlog.long_report),
    Group(("claim_empty",), backlog.no_queue),
    Group(("count_jobs",), counting.run),
    Group(("heartbeat", "heartbeat_bulk"), reports.heartbeats),
    Group(("final_report",), reports.final_reports),
    Group(("submit",), submission.run),
    Group(("assign",), brokering.run),
    Group(("life", "memory"), living.run),
    Group(("silent_sweep",), sweeping.run),
    Group(("transfer_small", "transfer_large"), moving.run),
    Group(("claim_with_transfers",), beside.the_queue),
    Group(("claim_with_copies",), beside.copies),
    Group(("bamboo", "bamboo_p99"), bamboo.run),
    Group(monitor.names(), monitor.run),
)


def chosen(words: Sequence[str]) -> list[Group]:
    """The groups with a figure of that name, or else of a name that begins so; all for no word.

    Raises LookupError for a word that names none.
    """
    if not words:
        return list(GROUPS)
    names = [name for group in GROUPS for name in group.figures]
    wanted: set[str] = set()
    for word in words:
        found = {word} & set(names) or {name for name in names if name.startswith(word)}
        if not found:
            raise LookupError(f"there is no figure {word}; there are {', '.join(names)}")
        wanted |= found
    return [group for group in GROUPS if wanted & set(group.figures)]
