"""In which order the first jobs of a site are to go, and which priorities say so. Pure.

Leaves take turns so that each gets nearer to its percentage with every job; within a leaf the jobs
go by what their priority should be. The jobs that have a turn get priorities above all that have
none; a job whose own priority says the same already keeps it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jobs.shares.tree import Node


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A job that waits: its own priority, what the sweep gave it, and what it should have."""

    panda_id: int
    leaf: int
    own: int
    current: int
    wanted: int
    cores: int = 1

    @property
    def order(self) -> tuple[int, int, int]:
        """Within its leaf, the first is the smallest."""
        return -self.wanted, -self.own, self.panda_id


@dataclass(kw_only=True)
class Fair:
    """What each node of the tree has, and which leaf is to have more."""

    root: Node
    used: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    paths: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Node, used: Mapping[int, float]) -> Fair:
        """`used` is by leaf, in cores."""
        fair = cls(root=root)
        fair._remember(root, ())
        for leaf, cores in used.items():
            fair.took(leaf, cores)
        return fair

    def _remember(self, node: Node, path: tuple[int, ...]) -> None:
        here = (*path, node.id)
        self.paths[node.id] = here
        for child in node.children:
            self._remember(child, here)

    def took(self, leaf: int, cores: float) -> None:
        """The leaf has so much more, and all that it is below."""
        for node in self.paths.get(leaf, ()):
            self.used[node] += cores

    def next(self, waiting: Collection[int]) -> int:
        """Of the leaves that have something waiting, the one that is furthest behind."""
        alive = {node for leaf in waiting for node in self.paths[leaf]}
        node = self.root
        while node.children:
            node = min(
                (child for child in node.children if child.id in alive),
                key=lambda child: (self.used[child.id] + 1) / max(child.percent, 1e-6),
            )
        return node.id


def in_turn(fair: Fair, jobs: Iterable[Waiting], most: int) -> list[Waiting]:
    """The first jobs of a site, at most so many, in the order in which they should go."""
    queues: defaultdict[int, list[Waiting]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: job.order, reverse=True):
        queues[job.leaf].append(job)  # the first is the last, to be popped
    chosen: list[Waiting] = []
    while queues and len(chosen) < most:
        leaf = fair.next(queues.keys()) if len(queues) > 1 else next(iter(queues))
        job = queues[leaf].pop()
        if not queues[leaf]:
            del queues[leaf]
        fair.took(leaf, job.cores)
        chosen.append(job)
    return chosen


def priorities(chosen: Sequence[Waiting], rest: Iterable[tuple[int, int]]) -> dict[int, int]:
    """By PandaID the priorities that put the chosen in this order, before all the others.

    `rest` are (priority, PandaID) of jobs without a turn. Each is as near to what the job should
    have as the order allows; equal ones go by the PandaID.
    """
    given: dict[int, int] = {}
    floor, behind = max(((p, -pk) for p, pk in rest), default=(-(10**9), 0))
    behind = -behind
    for job in reversed(chosen):
        floor = max(job.wanted, floor if job.panda_id < behind else floor + 1)
        behind = job.panda_id
        given[job.panda_id] = floor
    return given
