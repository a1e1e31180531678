"""Whether each job ended as intended. Pure: facts of jobs in, deviations in words out."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pandasite.demo.productions import End, PlannedJob

FINAL = frozenset({"finished", "failed", "cancelled"})
# How a job fails when its pilot or the whole demo is ended from outside: its successor counts.
INTERRUPTED = (
    {"pilot": 1201},  # the pilot was told to end
    {"job_dispatcher": 100},  # lost heartbeat
    {"job_dispatcher": 102},  # no answer after it was sent
)


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """What is known of one job. `errors` has the codes set, by component; `diag` the words."""

    panda_id: int
    name: str
    state: str
    attempts: int = 0
    retry_of: int | None = None
    errors: Mapping[str, int] = field(default_factory=dict)
    diag: str = ""

    @property
    def final(self) -> bool:
        return self.state in FINAL

    def __str__(self) -> str:
        codes = "".join(f" {component} {code}" for component, code in self.errors.items())
        return f"{self.state}{codes}" + (f" ({self.diag})" if self.diag else "")


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A planned job and the PandaID that the server acknowledged for it."""

    panda_id: int
    plan: PlannedJob


def chains(jobs: Iterable[JobFacts]) -> dict[int, list[JobFacts]]:
    """Each first job with its successors, in order, by the first one's PandaID."""
    found: dict[int, list[JobFacts]] = {}
    first_of: dict[int, int] = {}
    for job in sorted(jobs, key=lambda job: job.panda_id):
        first = first_of.get(job.retry_of, job.panda_id) if job.retry_of else job.panda_id
        first_of[job.panda_id] = first
        found.setdefault(first, []).append(job)
    return found


def deviation(expected: Expectation, chain: list[JobFacts]) -> str | None:
    """One sentence on what differs from the intention, or None."""
    plan = expected.plan
    label = f"{plan.name} (PandaID {expected.panda_id})"
    if not chain:
        return f"{label} is lost: the server acknowledged it and has no row for it"
    if not all(job.final for job in chain):
        return f"{label} is not final: {path(chain)}, intended {plan.end}"
    told = [job for job in chain if not interrupted(job)]
    if interrupted(chain[-1]) and not (plan.end.state == "failed" and exhausted(plan, chain)):
        told.append(chain[-1])  # nobody will try it again, and it was to end otherwise
    if not all(fits(job, plan.end) for job in told):
        return f"{label} ended {path(chain)}, intended {plan.end}"
    if plan.end.state == "failed" and not exhausted(plan, chain):
        tried = f"attempt {chain[-1].attempts} of {plan.max_attempt}"
        return f"{label} ended {path(chain)} as intended, but at {tried}"
    if len(told) > 1 and (plan.end.state != "failed" or not plan.end.retried):
        return f"{label} has a successor that it should not have: {path(chain)}"
    return None


def interrupted(job: JobFacts) -> bool:
    """Whether the job failed because its pilot was ended from outside."""
    return job.state == "failed" and dict(job.errors) in INTERRUPTED


def exhausted(plan: PlannedJob, chain: list[JobFacts]) -> bool:
    """Whether a failure was tried as often as it should be."""
    return not plan.end.retried or chain[-1].attempts == plan.max_attempt


def fits(job: JobFacts, end: End) -> bool:
    """State and fault are as intended, and no other component claims a fault."""
    wanted = {end.component: end.code} if end.component else {}
    return job.state == end.state and dict(job.errors) == wanted


def path(chain: Iterable[JobFacts]) -> str:
    return " then ".join(map(str, chain))


def deviations(expected: Iterable[Expectation], jobs: Iterable[JobFacts]) -> list[str]:
    """All deviations, in the order of submission."""
    by_first = chains(jobs)
    found = (deviation(one, by_first.get(one.panda_id, [])) for one in expected)
    return [sentence for sentence in found if sentence]


def settled(expected: Iterable[Expectation], jobs: Iterable[JobFacts]) -> bool:
    """Whether nothing is left to wait for.

    A successor is made in the transaction of the failure, so a chain without one is at its end.
    """
    return lost(expected, jobs) == 0


def lost(expected: Iterable[Expectation], jobs: Iterable[JobFacts]) -> int:
    """Acknowledged jobs that never reached a final state, or are gone."""
    by_first = chains(jobs)
    return sum(
        1
        for one in expected
        if not (chain := by_first.get(one.panda_id)) or not all(job.final for job in chain)
    )


def per_state(jobs: Iterable[JobFacts]) -> Counter[str]:
    """Number of jobs by state."""
    return Counter(job.state for job in jobs)
