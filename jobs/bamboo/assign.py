"""Step 2: give each task that waits for one a cloud, and keep why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F

from brokerage.models import Cloud
from brokerage.policy.clouds import CloudChoice, best_home, choose_cloud
from datasets.models import Subscription
from datasets.subscriptions import Terms, subscribe
from jobs.bamboo import needs as asking
from jobs.bamboo.needs import Candidate, Clouds
from jobs.bamboo.turn import Turn
from jobs.models import BambooTask, CloudDecision
from jobs.proddb.door import ProdState
from jobs.tasks_engine import services
from pandasite.base.errors import IllegalMove

ACTIVITY = "production input"
PAGE = 200  # tasks of a transaction


class Decided(NamedTuple):
    """A task with what was decided of it, before it is written."""

    candidate: Candidate
    choice: CloudChoice
    gist: str

    @property
    def task_id(self) -> int:
        return self.candidate.task.pk


def run(turn: Turn) -> int:
    """All tasks that wait, the most urgent first; how many were given a cloud."""
    found = asking.candidates(turn.limits.tasks)
    if not found:
        return 0
    clouds = asking.gather([one.needs for one in found], now=turn.now)
    for begin in range(0, len(found), PAGE):
        if turn.over:
            break
        decided = [_decide(one, clouds, turn) for one in found[begin : begin + PAGE]]
        with transaction.atomic():
            turn.done["assigned"] += _apply(decided, clouds, turn)
    return turn.done["assigned"]


def _decide(candidate: Candidate, clouds: Clouds, turn: Turn) -> Decided:
    """The choice; the cloud takes the task at once, so that the next one meets more work."""
    wanted = candidate.needs
    choice = choose_cloud(wanted, clouds.offers_for(wanted), turn.chance)
    if choice.chosen:
        clouds.took(choice.chosen, wanted)
        return Decided(candidate, choice, choice.gist)
    return Decided(candidate, choice, _bring_input(candidate, choice, clouds, turn))


def _apply(decided: Sequence[Decided], clouds: Clouds, turn: Turn) -> int:
    """Write what was decided, set-wise; how many tasks have their cloud now."""
    gone = _give(decided, clouds.rows, turn)
    unplaced = [one for one in decided if not one.choice.chosen]
    _say_why([one for one in unplaced if one.candidate.note is not None], turn)
    kept = [one for one in decided if one.task_id not in gone]
    _keep(kept, clouds.rows, turn)
    return len(kept) - len(unplaced)


def _say_why(unplaced: Sequence[Decided], turn: Turn) -> None:
    """Another reason is a change that prodDB is to hear of."""
    notes = []
    for candidate, _choice, gist in unplaced:
        note = candidate.note
        assert note is not None
        note.considered_at = turn.now
        if note.reason != gist[:500]:
            note.reason, note.seq = gist[:500], note.seq + 1
        notes.append(note)
    BambooTask.objects.bulk_update(notes, ["considered_at", "reason", "seq"])


def _give(decided: Sequence[Decided], rows: Mapping[str, Cloud], turn: Turn) -> set[int]:
    """ASSIGNING -> SUBMITTED, or the engine's move; the tasks of which somebody was faster."""
    gone = set()
    by_cloud: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for candidate, choice, gist in decided:
        if not choice.chosen:
            continue
        if candidate.note is not None:
            by_cloud[choice.chosen][candidate.note.pk] = candidate.task.pk
            continue
        cloud = rows[choice.chosen]
        try:
            services.assign_cloud(candidate.task, cloud, reason=gist, actor="bamboo", now=turn.now)
        except IllegalMove:
            gone.add(candidate.task.pk)
    for name, notes in by_cloud.items():
        gone |= _give_noted(notes, rows[name])
    return gone


def _give_noted(notes: Mapping[int, int], cloud: Cloud) -> set[int]:
    """Those (tasks by number of their request) that do not wait for a cloud any more."""
    waits = BambooTask.objects.filter(pk__in=notes, state=ProdState.ASSIGNING, abort=False)
    held = list(waits.order_by("pk").select_for_update().values_list("pk", flat=True))
    BambooTask.objects.filter(pk__in=held).update(
        state=ProdState.SUBMITTED, cloud=cloud, reason="", seq=F("seq") + 1, stale=True
    )
    return {task for request, task in notes.items() if request not in set(held)}


def _keep(decided: Sequence[Decided], rows: Mapping[str, Cloud], turn: Turn) -> None:
    """A row for each choice; while a task waits for the same reasons, the same one, only later."""
    waiting = [one.task_id for one in decided if not one.choice.chosen]
    open_ones = CloudDecision.objects.filter(task__in=waiting, cloud=None).order_by("at")
    latest = {row.task_id: row for row in open_ones}
    later, new = [], []
    for one in decided:
        verdicts = [_as_json(verdict) for verdict in one.choice.verdicts]
        gist, row = one.gist[:500], latest.get(one.task_id)
        if row is not None and (row.gist, _rules(row.verdicts)) == (gist, _rules(verdicts)):
            row.times += 1
            later.append(row)
        else:
            row = CloudDecision(task_id=one.task_id, first_at=turn.now)
            row.cloud = rows.get(one.choice.chosen)
            new.append(row)
        row.at, row.gist, row.draw, row.verdicts = turn.now, gist, one.choice.draw, verdicts
    CloudDecision.objects.bulk_update(later, ["at", "times", "verdicts"])
    CloudDecision.objects.bulk_create(new)


def _rules(verdicts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(verdict["cloud"], verdict["rule"]) for verdict in verdicts]


def _as_json(verdict: Any) -> dict[str, Any]:
    return {
        "cloud": verdict.cloud,
        "accepted": verdict.accepted,
        "rule": verdict.rule,
        "reason": verdict.reason,
        "weight": round(verdict.weight, 6),
    }


def _bring_input(candidate: Candidate, choice: CloudChoice, clouds: Clouds, turn: Turn) -> str:
    """A simulation whose input is at no Tier-1: bring it to the least loaded, one at a time."""
    wanted = candidate.needs
    home = best_home(wanted, clouds.offers_for(wanted))
    if home is None:  # there it is the input alone that is missing
        return choice.gist
    dataset, storage = asking.dataset(wanted.input_dataset), clouds.storages.get(home.name)
    if dataset is None or storage is None:
        return choice.gist
    coming = Subscription.objects.filter(
        dataset=dataset,
        state=Subscription.State.OPEN,
        storage__in=[one.pk for one in clouds.storages.values()],
    ).first()
    if coming is None:
        terms = Terms(vo=candidate.task.vo.name if candidate.task.vo else "")
        subscribe(dataset, storage, activity=ACTIVITY, now=turn.now, terms=terms)
        return f"no cloud yet: its input is on the way to {home.tier1}, the least loaded"
    return f"no cloud yet: its input is on the way to {coming.storage.name}"
