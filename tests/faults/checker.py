"""What must be true after a fault; each lapse in words.

The history says what was acknowledged, the books what is. `Books` of a control look at its copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from jobs.models import Pulse
from jobs.states import FINAL, JobState
from tests.faults.books import Books, events_of
from tests.faults.history import History, Outcome


def lapses(books: Books, panda_ids: Sequence[int], *, attempts: int = 1) -> list[str]:
    """Everything that is not as it must be of jobs that should have finished.

    In one attempt, or at most in so many.
    """
    with books.site.books():
        return [
            *not_finished(books, panda_ids),
            *too_many_attempts(books, panda_ids, attempts=attempts),
            *double_moves(panda_ids),
            *given_twice(books.history),
            *lost_claims(books.history),
            *lost_words(books.history),
        ]


def not_finished(books: Books, panda_ids: Sequence[int]) -> Iterator[str]:
    """Lost jobs, and those that ended otherwise."""
    found = dict(books.rows(panda_ids, "pk", "state"))
    for panda_id in panda_ids:
        state = found.get(panda_id, "lost")
        if state != JobState.FINISHED:
            yield f"job {panda_id} is {state}"


def too_many_attempts(books: Books, panda_ids: Sequence[int], *, attempts: int) -> Iterator[str]:
    for panda_id, number in books.rows(panda_ids, "pk", "attempt_nr"):
        if number > attempts:
            yield f"job {panda_id} had {number} attempts"


def double_moves(panda_ids: Sequence[int]) -> Iterator[str]:
    """A change of state that happened twice in one attempt, and second ends.

    A job is activated before its first attempt and at the end of each that was lost.
    """
    moves = Counter(events_of(panda_ids))
    for (panda_id, attempt, state), n in moves.items():
        if n > 1:
            yield f"job {panda_id} became {state} {n} times in attempt {attempt}"
    yield from second_ends(panda_ids)


def second_ends(panda_ids: Sequence[int]) -> Iterator[str]:
    ends = Counter(job for job, _attempt, state in events_of(panda_ids) if state in FINAL)
    yield from (f"job {panda_id} ended {n} times" for panda_id, n in ends.items() if n > 1)


def given_twice(history: History) -> Iterator[str]:
    """The same attempt of a job in the hands of two claims."""
    holders: dict[tuple[int, int], set[str]] = {}
    for claim in history.claims():
        job = claim.job or {}
        holders.setdefault((job["panda_id"], job["attempt_nr"]), set()).add(claim.key)
    for (panda_id, attempt), keys in holders.items():
        if len(keys) > 1:
            yield f"attempt {attempt} of job {panda_id} was given to {len(keys)} claims"


def lost_claims(history: History) -> Iterator[str]:
    """Acknowledged claims of which the books know nothing."""
    told = {(c.job["panda_id"], c.job["attempt_nr"]) for c in history.claims() if c.job}
    known = {(job, nr) for job, nr, state in events_of({t[0] for t in told}) if state == "sent"}
    yield from (f"claim of job {job} attempt {nr} is lost" for job, nr in sorted(told - known))


def lost_words(history: History) -> Iterator[str]:
    """Acknowledged last words of which the books know nothing."""
    told = {
        (op.body["panda_id"], op.body["attempt_nr"])
        for op in history.of("finished", "failed", outcome=Outcome.OK)
        if op.answer["state"] == JobState.HOLDING
    }
    known = {(job, nr) for job, nr, state in events_of({t[0] for t in told}) if state == "holding"}
    yield from (f"end of job {job} attempt {nr} is lost" for job, nr in sorted(told - known))


def lost_beats(books: Books, history: History) -> Iterator[str]:
    """Acknowledged reports with a higher number than the books have."""
    told: dict[int, int] = {}
    for op in history.of("running", "finished", outcome=Outcome.OK):
        told[op.body["panda_id"]] = max(op.body["seq"], told.get(op.body["panda_id"], 0))
    heard = dict(books.rows(list(told), "pk", "report_seq"))
    # What a job that is held has said last stands apart from it.
    heard |= dict(Pulse.objects.filter(pk__in=told).values_list("pk", "report_seq"))
    for panda_id, seq in heard.items():
        if seq < told[panda_id]:
            yield f"job {panda_id} has report {seq}, {told[panda_id]} was acknowledged"
