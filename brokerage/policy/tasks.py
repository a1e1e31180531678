"""What task brokerage is told: what a task asks for, what each cloud is and has.

Work is counted in jobs that are still to be done, space in GB.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

THRESHOLD_GB = 1024.0  # that must be left at a Tier-1, unless its storage says otherwise
GROUPS = {
    "evgen": "generation and simulation",
    "simul": "generation and simulation",
    "reprocessing": "reprocessing",
    "test": "tests",
    "prod_test": "tests",
    "validation": "tests",
}
OTHERS = "other work"


def group_of(processing_type: str) -> str:
    """Tasks of a group compete with each other; its name in words."""
    return GROUPS.get(processing_type, OTHERS)


class Work(NamedTuple):
    """Jobs still to be done for tasks of one group and priority."""

    group: str
    priority: int
    jobs: int


@dataclass(frozen=True, kw_only=True)
class TaskNeeds:
    """What a task asks for. `cloud`: the one that production named ('' = any)."""

    processing_type: str = ""
    priority: int = 0
    cloud: str = ""
    validation: bool = False
    jobs: int = 0
    input_dataset: str = ""
    input_files: int = 0

    @property
    def group(self) -> str:
        return group_of(self.processing_type)


@dataclass(frozen=True, kw_only=True)
class CloudOffer:
    """What a cloud is and has. `free_gb` None: nobody has measured its Tier-1."""

    name: str
    status: str = "online"
    status_reason: str = ""
    validation: bool = False
    fasttrack: bool = False
    tier1: str = ""
    free_gb: float | None = None
    threshold_gb: float = THRESHOLD_GB
    share: int = 1
    pilots: int = 0
    work: tuple[Work, ...] = ()
    held_files: int = 0  # of the task's input, at the Tier-1

    @property
    def all_work(self) -> int:
        return sum(work.jobs for work in self.work)

    def ahead_of(self, needs: TaskNeeds) -> int:
        """Work of the same group that is as urgent, or more."""
        group = needs.group
        return sum(
            work.jobs
            for work in self.work
            if work.group == group and work.priority >= needs.priority
        )

    def taking(self, needs: TaskNeeds) -> "CloudOffer":
        """The cloud with this task: the next one meets more work."""
        return replace(self, work=(*self.work, Work(needs.group, needs.priority, needs.jobs)))
