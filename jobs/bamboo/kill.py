"""Step 5: end what production wants aborted.

Jobs that no pilot has are cancelled at once; the others get the command at their pilot's next word,
and prodDB says ABORTED when they have really ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobs import services
from jobs.bamboo import engine, write
from jobs.bamboo.turn import Turn
from jobs.models import BambooJob, BambooTask, Job
from jobs.proddb import door
from jobs.states import QUEUED

PAGE = 1000
WHY = "aborted in the production database"


def run(turn: Turn) -> int:
    """Tasks, then jobs; how many jobs were cancelled or told to end."""
    with door.open_session():
        _tasks(turn)
        _definitions(turn)
        turn.done["written"] += write.write_tasks(turn)
    return turn.done["killed"]


def _tasks(turn: Turn) -> None:
    after = 0
    while not turn.over:
        page = door.tasks_to_abort(after=after, limit=PAGE)
        if not page:
            break
        after = page[-1]
        notes = {note.pk: note for note in BambooTask.objects.filter(pk__in=page)}
        door.abort_tasks([number for number in page if number not in notes])
        made = [n for n in notes.values() if n.kind == BambooTask.Kind.ENGINE]
        for note in made:
            turn.done["killed"] += engine.kill(note.task_id, reason=WHY, now=turn.now)
        taken = BambooTask.objects.filter(pk__in=notes)
        taken.filter(state__in=door.FINAL).update(written_seq=0)  # ended before: said once more
        taken.update(abort=True, stale=True)
        defined = [n.pk for n in notes.values() if n.kind == BambooTask.Kind.DEFINED]
        while door.abort_rest_of(defined, limit=PAGE) and not turn.over:
            continue
        _kill_jobs_of(turn, defined)


def _kill_jobs_of(turn: Turn, request_ids: Sequence[int]) -> None:
    """The open jobs of these tasks, a page at a time."""
    after = 0
    while turn.done["killed"] < turn.limits.kills and not turn.over:
        open_ones = BambooJob.objects.filter(
            request__in=request_ids, settled=False, panda_id__gt=after
        )
        page = list(open_ones.order_by("panda_id").values_list("definition_id", "panda_id")[:PAGE])
        if not page:
            return
        after = page[-1][1]
        _kill(turn, dict(page), said=())
    turn.more = True


def _definitions(turn: Turn) -> None:
    """Definitions that are to be aborted one by one, or with their task before they had a job."""
    after = 0
    while turn.done["killed"] < turn.limits.kills and not turn.over:
        page = door.jobs_to_abort(after=after, limit=PAGE)
        if not page:
            return
        after = page[-1].definition_id
        numbers = [one.definition_id for one in page]
        notes = BambooJob.objects.filter(pk__in=numbers)
        jobs = dict(notes.values_list("definition_id", "panda_id"))
        door.abort_jobs([number for number in numbers if number not in jobs])
        _stale(one.request_id for one in page if one.definition_id not in jobs)
        ended = notes.filter(settled=True).values_list("definition_id", flat=True)
        _kill(turn, jobs, said=list(ended))
    turn.more = True


def _stale(request_ids: Iterable[int]) -> None:
    BambooTask.objects.filter(pk__in=set(request_ids)).update(stale=True)


def _kill(turn: Turn, jobs: dict[int, int], *, said: Sequence[int]) -> None:
    """End these jobs (by definition); write back those that have ended now, and those of `said`."""
    some = Job.objects.filter(panda_id__in=jobs.values())
    dead = services.cancel_killed(
        some.filter(state__in=QUEUED), actor="bamboo", now=turn.now, why=WHY
    )
    told = services.order_end(some.filter(command=""), reason=f"bamboo: {WHY}", now=turn.now)
    turn.done["killed"] += len(dead) + told
    ended = {*dead}
    now = [number for number, panda_id in jobs.items() if panda_id in ended]
    turn.done["written"] += write.write_these([*now, *said])
