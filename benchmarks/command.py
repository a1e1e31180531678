"""Runs what was asked for, prints it and keeps it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import psycopg2
from django.db import DatabaseError

from benchmarks import figures, table
from benchmarks.bed import Bed, machine, test_bed
from benchmarks.load import LoadError
from benchmarks.pgbench import PgbenchError
from benchmarks.result import keep
from pandasite.launcher import LaunchError

DOCS = Path(__file__).resolve().parent.parent / "docs"


def run(options: argparse.Namespace, results: Path) -> int:
    """The exit code."""
    if options.what == "atlas":
        from benchmarks import atlas  # it draws, and matplotlib takes a second

        return atlas.run(options, results)
    if options.what == "table":
        text = table.page(results, [name for group in figures.GROUPS for name in group.figures])
        (DOCS / "bench-figures.md").write_text(text, encoding="utf-8")
        return 0
    try:
        groups = figures.chosen([word for word in options.only.split(",") if word])
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    with test_bed(scale=options.scale, seconds=options.seconds, say=say) as bed:
        return max(_measure(bed, group, results) for group in groups)


def _measure(bed: Bed, group: figures.Group, results: Path) -> int:
    say(f"--- {', '.join(group.figures)}")
    begun, about = time.monotonic(), {"scale": bed.scale, "seconds": bed.seconds, **machine()}
    try:
        found = list(group.run(bed))
    except (LoadError, PgbenchError, LaunchError, DatabaseError, psycopg2.Error) as error:
        say(f"{', '.join(group.figures)} could not be measured: {error}")
        return 1
    say(f"took {time.monotonic() - begun:.0f} s")
    for figure in found:
        keep(figure, results, more=about)
        # stdout has nothing but these, one a line
        print(figure.line(), flush=True)
    return 0


def say(line: str) -> None:
    """Progress, apart from the figures."""
    print(f"# {line}", file=sys.stderr, flush=True)
