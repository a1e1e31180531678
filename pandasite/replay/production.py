"""The jobs of a log as work of production: asked for in prodDB, submitted by Bamboo's cycle."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs import bamboo
from jobs.proddb import door
from jobs.proddb.door import NewDefinition, NewRequest
from pandasite.base.errors import Conflict
from pandasite.replay.entry import Entry
from pandasite.replay.work import Job, name_of, number_of

CYCLES = 100  # at one moment: each does a bounded part


@dataclass(kw_only=True)
class ProductionEntry(Entry):
    """Each bunch of a user and group that comes in at one moment is a task request of its own.

    `cycles`: whether `come_in` runs Bamboo's cycle here, or somebody else does.
    """

    cloud: str = ""
    cycles: bool = True
    requests: list[int] = field(default_factory=list)

    def resume(self) -> int:
        """Take note of what a replay of this name has asked for already; returns how many jobs."""
        names = door.names_of_definitions(task_begins=f"{self.run}.")
        self.entered |= set(map(number_of, names))
        self._skip()
        return len(self.entered)

    def come_in(self, now: dt.datetime) -> None:
        """Bamboo's cycle: take, give a cloud, submit, write back."""
        for _cycle in range(CYCLES if self.cycles else 0):
            report = bamboo.cycle(now=now, seed=1)
            if report.round is None:
                raise Conflict(report.why, code="no_cycle")
            if not report.more:
                break

    def told(self) -> Counter[str]:
        """How many jobs are in which state, as prodDB says."""
        found: Counter[str] = Counter()
        for states in door.states_of_tasks(self.requests).values():
            found.update(states)
        return found

    def _submit(self, jobs: Sequence[Job], now: dt.datetime) -> None:
        first = jobs[0]
        request = NewRequest(
            name=f"{self.run}.{first.group}.{first.number}",
            owner=first.user,
            vo=self.payload.vo,
            working_group=first.group,
            processing_type="replay",
            cloud=self.cloud,
        )
        self.requests.append(door.ask_for(request, [*map(self._defined, jobs)], now=now))

    def _defined(self, job: Job) -> NewDefinition:
        return NewDefinition(
            name=name_of(job.number),
            transformation=self.payload.transformation,
            parameters=f"--seconds {job.run:g}",
            details={
                "atlas_release": self.payload.release,
                "cmt_config": self.payload.cmt_config,
                "core_count": job.cores,
            },
        )
