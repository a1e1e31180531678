"""The report of an atlas run: a page with a table and two drawings."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.atlas import CORES, DASHBOARD_MS, HEARTBEATS, LIVES, Watched
from benchmarks.ledger import Ledger
from benchmarks.meter import LOAD
from benchmarks.result import Figure, rounded

matplotlib.use("svg")
from matplotlib import pyplot

DOCS = Path(__file__).resolve().parent.parent / "docs"
SIZE = (9.0, 3.2)  # inches
WORDS = {
    "postgres": "PostgreSQL",
    "web": "web (granian)",
    "worker": "Celery: sweeps",
    "transfers": "Celery: transfers",
    "valkey": "Valkey",
}


def write(
    folder: Path, figure: Figure, watched: Watched, ledger: Ledger, about: Mapping[str, Any]
) -> None:
    """`bench-atlas.md` and its drawings, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw_cores(folder / "bench-atlas-cores.svg", watched)
    _draw_dashboard(folder / "bench-atlas-dashboard.svg", watched)
    text = "\n".join(_page(figure, ledger, about))
    (folder / "bench-atlas.md").write_text(text + "\n", encoding="utf-8")


def _page(figure: Figure, ledger: Ledger, about: Mapping[str, Any]) -> list[str]:
    said = dict(rounded(figure.details))
    page = said["dashboard"]
    return [
        "# The load of a large experiment on one machine",
        "",
        _intro(said, about),
        "",
        *_table(figure, said, page),
        "",
        "![Cores used by the server's processes](bench-atlas-cores.svg)",
        "",
        "![Time of the dashboard page](bench-atlas-dashboard.svg)",
        "",
        "## What pilots and users met",
        "",
        "| request | answers | p50 ms | p95 ms | p99 ms | not as expected |",
        "|---|---|---|---|---|---|",
        *[_request(what, tally.as_json(), tally.errors) for what, tally in _tallies(ledger)],
        "",
        "## What else must hold",
        "",
        *[f"* {name}: {'yes' if holds else '**no**'}" for name, holds in figure.conditions.items()],
    ]


def _intro(said: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    return (
        f"{said['running']:,} jobs run and send a heartbeat every half hour, and {LIVES:g} jobs "
        "per second go through their whole life: submitted, brokered, claimed, started, "
        f"finished, their outputs registered. {about['minutes']:g} minutes after a warm-up, over "
        "HTTP with tokens; pilots, server and database share one machine of "
        f"{about['cores']} cores. Made by `make bench-atlas`; [benchmarks.md](benchmarks.md) "
        "says how."
    )


def _table(figure: Figure, said: Mapping[str, Any], page: Mapping[str, Any]) -> list[str]:
    cores = "; ".join(
        f"{WORDS.get(who, who)} {used:.2f}" for who, used in said["cores"].items() if who != LOAD
    )
    jobs = ", ".join(str(said[what]) for what in ("submitted", "ended", "registered"))
    return [
        "| | found | wanted |",
        "|---|---|---|",
        f"| cores of server and database | {figure.value or 0:.2f} ({cores}) | <= {CORES:g} |",
        f"| dashboard, p95 | {page['p95_ms']} ms (p50 {page['p50_ms']}) | <= {DASHBOARD_MS:g} ms |",
        f"| heartbeats per second | {said['heartbeats_a_second']} | {HEARTBEATS:g} |",
        f"| whole lives per second | {said['lives_a_second']} | {LIVES:g} |",
        f"| jobs submitted, ended, registered | {jobs} | the same |",
        f"| differences found by fsck | {len(said['differences'])} | 0 |",
    ]


def _tallies(ledger: Ledger) -> list[tuple[str, Any]]:
    return sorted(ledger.tallies.items())


def _request(what: str, said: Mapping[str, Any], errors: int) -> str:
    numbers = " | ".join(f"{said[f'p{p}_ms']:.1f}" for p in (50, 95, 99))
    return f"| {what} | {said['answers']} | {numbers} | {errors} |"


def _draw_cores(path: Path, watched: Watched) -> None:
    """Cores in each interval between two samples, one above the other."""
    steps = list(pairwise(watched.samples))
    if not steps:
        return
    at = [(one.at + two.at) / 2 for one, two in steps]
    used = [
        [
            (two.usage.cpu[who] - one.usage.cpu.get(who, 0.0)) / (two.at - one.at)
            for one, two in steps
        ]
        for who in WORDS
    ]
    figure, axes = pyplot.subplots(figsize=SIZE)
    axes.stackplot(at, used, labels=WORDS.values())
    axes.axhline(CORES, color="black", linewidth=1, linestyle="--")
    axes.set(xlabel="seconds", ylabel="cores", xlim=(at[0], at[-1]), ylim=(0, None))
    axes.legend(loc="upper left", ncols=3, fontsize="small")
    _save(figure, path)


def _draw_dashboard(path: Path, watched: Watched) -> None:
    figure, axes = pyplot.subplots(figsize=SIZE)
    axes.plot(
        [at for at, _ in watched.dashboard],
        [1000 * seconds for _, seconds in watched.dashboard],
        ".",
        markersize=3,
    )
    axes.axhline(DASHBOARD_MS, color="black", linewidth=1, linestyle="--")
    axes.set(xlabel="seconds", ylabel="dashboard page, ms", ylim=(0, None))
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
