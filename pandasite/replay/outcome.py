"""What became of a replay: nothing lost, nothing twice, and how long everything took."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from jobs.states import JobState
from pandasite.replay.production import ProductionEntry
from pandasite.replay.simulate import Simulation
from pandasite.replay.work import number_of

PERCENTILES = (50, 90, 95, 99, 100)

_JOBS = """
SELECT panda_id, job_name, state, extract(epoch FROM start_time)::float,
  extract(epoch FROM end_time)::float
FROM jobs_anyjob WHERE panda_id > %s AND job_name LIKE 'swf.%%' ORDER BY panda_id LIMIT %s
"""
PAGE = 10_000


class Row(NamedTuple):
    """A job as the database has it; start and end in Unix time."""

    panda_id: int
    name: str
    state: str
    began: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Times in seconds. `lost` and `twice` are PandaIDs, or numbers of the log that have none."""

    jobs: int
    finished: int
    lost: Sequence[int]
    twice: Sequence[int]
    refused: Sequence[str]
    makespan: float
    queue: dict[str, dict[str, float]]  # percentiles by group; "all"
    used: dict[str, dict[str, float]]  # by site: slots, core hours, percent of what it has
    heartbeats: int
    claims: int
    told: dict[str, int] | None = None  # jobs by state, as prodDB says

    @property
    def is_sound(self) -> bool:
        """Whether every job went through once."""
        told = self.told is None or self.told == {"DONE": self.jobs}
        once = not (self.lost or self.twice or self.refused)
        return once and told and self.finished == self.jobs

    def as_json(self) -> dict[str, Any]:
        """All numbers."""
        return {"sound": self.is_sound, **vars(self)}


def judge(simulation: Simulation) -> Outcome:
    """Hold what is in the database against the log, job by job."""
    return held_against(simulation, _jobs())


def held_against(simulation: Simulation, rows: Iterable[Row]) -> Outcome:
    """The same for these rows."""
    entry, work, fleet = simulation.entry, simulation.entry.work, simulation.fleet
    in_log = {job.number: job for job in work.jobs}
    start, ends = work.start.timestamp(), [0.0]
    waits: defaultdict[str, list[float]] = defaultdict(list)
    known: dict[int, list[int]] = {}  # PandaIDs by number, of all states
    finished: Counter[int] = Counter()
    for row in rows:
        number = number_of(row.name)
        known.setdefault(number, []).append(row.panda_id)
        if row.state == JobState.FINISHED and (job := in_log.get(number)):
            finished[number] += 1
            wait = row.began - start - job.submit
            waits[job.group].append(wait)
            waits["all"].append(wait)
            ends.append(row.ended - start)
    makespan = max(ends) - work.jobs[0].submit
    return Outcome(
        jobs=len(work.jobs),
        finished=len(finished),
        lost=sorted(known.get(n, [-n])[-1] for n in in_log.keys() - finished.keys()),
        twice=_twice(simulation, finished, known),
        refused=fleet.refused,
        makespan=makespan,
        queue={group: percentiles(found) for group, found in sorted(waits.items())},
        used=_used(simulation, makespan),
        heartbeats=fleet.heartbeats,
        claims=fleet.claims,
        told=dict(entry.told()) if isinstance(entry, ProductionEntry) else None,
    )


def _jobs() -> Iterator[Row]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_JOBS, [after, PAGE])
            page = [Row(*row) for row in cursor.fetchall()]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].panda_id


def _twice(
    simulation: Simulation, finished: Counter[int], known: Mapping[int, Sequence[int]]
) -> list[int]:
    """Jobs that were handed out, or ended, more than once, and jobs that the log does not have."""
    in_log = {job.number for job in simulation.entry.work.jobs}
    found = {known[number][-1] for number, n in finished.items() if n > 1}
    found |= {pk for number, pks in known.items() if number not in in_log for pk in pks}
    there = {pk for pks in known.values() for pk in pks}
    for counted in (simulation.fleet.claimed, simulation.fleet.ended):
        found |= {panda_id for panda_id, n in counted.items() if n > 1 or panda_id not in there}
    return sorted(found)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Of so many values: the smallest that so many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    ranks = {p: max(0, math.ceil(p * len(ordered) / 100) - 1) for p in PERCENTILES}
    return {"n": len(ordered), **{f"p{p}": ordered[rank] for p, rank in ranks.items()}}


def _used(simulation: Simulation, makespan: float) -> dict[str, dict[str, float]]:
    found = {}
    for place in simulation.fleet.places:
        busy = simulation.fleet.busy[place.name]
        has = place.slots * makespan
        found[place.name] = {
            "slots": place.slots,
            "core_hours": busy / 3600,
            "percent": 100 * busy / has if has else 0.0,
        }
    return found


def lines(outcome: Outcome) -> Iterator[str]:
    """The report for people."""
    yield f"{outcome.finished:,} of {outcome.jobs:,} jobs finished"
    yield f"{len(outcome.lost)} lost, {len(outcome.twice)} twice, {len(outcome.refused)} refused"
    if outcome.told is not None:
        yield f"prodDB says: {', '.join(f'{n:,} {state}' for state, n in outcome.told.items())}"
    yield from (f"  {text}" for text in outcome.refused[:10])
    yield f"makespan {outcome.makespan / 86_400:.2f} days"
    yield f"{outcome.claims:,} claims, {outcome.heartbeats:,} heartbeats"
    yield ""
    yield f"{'queue time by group':24} {'jobs':>8} " + " ".join(
        f"{f'p{p}':>9}" for p in PERCENTILES
    )
    for group, found in outcome.queue.items():
        times = " ".join(f"{_time(found[f'p{p}']):>9}" for p in PERCENTILES)
        yield f"{group[:24]:24} {found['n']:>8,} {times}"
    yield ""
    yield f"{'utilisation by site':40} {'slots':>6} {'core h':>9} {'%':>6}"
    for site, found in sorted(outcome.used.items(), key=lambda one: -one[1]["core_hours"]):
        yield (
            f"{site[:40]:40} {found['slots']:>6,.0f} {found['core_hours']:>9,.0f}"
            f" {found['percent']:>6.1f}"
        )


def _time(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 36_000 else f"{seconds / 3600:,.1f} h"
