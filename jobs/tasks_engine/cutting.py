"""Cutting the work of a task into pieces, in the transaction that takes its input for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import connection
from django.db.models import F, Max

from jobs.models import Task, TaskInput, TaskPiece
from jobs.tasks_engine import splitting
from jobs.tasks_engine.spec import MergeSpec, TaskSpec
from jobs.tasks_engine.splitting import InFile, Rule, events_of
from jobs.tasks_engine.states import PieceState, Stage, TaskState
from pandasite.base import inorder
from pandasite.base.copying import NewRows, reserve_keys

MOST = 2000  # pieces of a task that are cut at once, and that may lie there without a job
LIVE = 20_000  # pieces of work of a task that may be under way: more would only fill the queues
FILES = 20_000  # files of a task that are looked at at once
PARTS = 2000  # files of a task that are split into parts of their events at once
MERGE_RULE = Rule(files=10)  # where the request says nothing

_TAKE = """
UPDATE jobs_taskinput i SET piece_id = n.piece_id
FROM unnest(%s::bigint[], %s::bigint[]) AS n (input_id, piece_id)
WHERE i.id = n.input_id AND i.piece_id IS NULL
"""
# Files become parts of so many events; those that are one part too, with `first_event` 1, and those
# whose events nobody knows, with none: they are not looked at again. The order of files stays.
_SPLIT = """
WITH taken AS (
  DELETE FROM jobs_taskinput WHERE id IN (
    SELECT id FROM jobs_taskinput WHERE task_id = %(task)s AND stage = 'work' AND piece_id IS NULL
      AND first_event = 0 ORDER BY id LIMIT %(most)s)
  RETURNING id, file_id
), known AS (
  SELECT t.id, t.file_id, coalesce(nullif(%(per_file)s::bigint, 0), f.events, 0) AS events
  FROM taken t JOIN datasets_file f ON f.id = t.file_id
), parts AS (
  INSERT INTO jobs_taskinput (task_id, stage, file_id, first_event, n_events)
  SELECT %(task)s, 'work', k.file_id, s.first, least(%(per_job)s, k.events - s.first + 1)
  FROM known k
  CROSS JOIN LATERAL generate_series(1::bigint, greatest(k.events, 1), %(per_job)s) AS s (first)
  ORDER BY k.id, s.first
  RETURNING 1
)
SELECT (SELECT count(*) FROM parts), (SELECT count(*) FROM taken)
"""
_COLUMNS = (
    "id", "serial", "first_event", "n_events", "n_files", "input_bytes",
)  # fmt: skip


def cut(task: Task, *, work_ended: bool) -> int:
    """Cut what can be cut of a task that the caller holds; returns how many pieces.

    `work_ended`: no job of it will make anything more that is to be merged.
    """
    spec = TaskSpec.of(task.spec, owner=task.spec["owner"])
    under_way = task.pieces - task.pieces_done - task.pieces_failed
    planned = TaskPiece.objects.filter(task=task, state=PieceState.PLANNED).count()
    room = max(0, min(MOST - planned, LIVE - under_way))
    pieces = 0
    if task.state in (TaskState.SCOUTING, TaskState.RUNNING) and _is_built(task, spec):
        scouting = task.state == TaskState.SCOUTING
        wanted = min(room, spec.n_scouts - task.pieces) if scouting else room
        if wanted > 0:
            pieces = _cut_work(task, spec, most=wanted, scout=scouting)
    if spec.merge and task.state in (TaskState.RUNNING, TaskState.FINISHING):
        rule = _merge_rule(spec.merge)
        pieces += _cut_files(task, Stage.MERGE, rule, more_to_come=not work_ended, most=MOST)
    return pieces


def cut_build(task: Task) -> int:
    """The piece that builds, of a task that the caller holds and that has none."""
    if TaskPiece.objects.filter(task=task, stage=Stage.BUILD).exists():
        return 0
    return len(_insert(task, Stage.BUILD, [(1, 0, 0, 0)], scout=False))


def _is_built(task: Task, spec: TaskSpec) -> bool:
    """Whether what its jobs read besides has been made."""
    built = TaskPiece.objects.filter(task=task, stage=Stage.BUILD, state=PieceState.DONE)
    return spec.build is None or built.exists()


def _split(task: Task, spec: TaskSpec) -> None:
    """Turn input files that nobody has looked at into parts of their events."""
    said = {"task": task.pk, "most": PARTS}
    said |= {"per_file": spec.events_per_file, "per_job": spec.events_per_job}
    with connection.cursor() as cursor:
        cursor.execute(_SPLIT, said)
        made, taken = cursor.fetchone()
    Task.objects.filter(pk=task.pk).update(inputs=F("inputs") + made - taken)


def _merge_rule(merge: MergeSpec) -> Rule:
    rule = Rule(merge.files_per_job, merge.gb_per_job)
    return rule if any(rule) else MERGE_RULE


def _cut_work(task: Task, spec: TaskSpec, *, most: int, scout: bool) -> int:
    if spec.inputs:
        rule = Rule(spec.files_per_job, spec.gb_per_job, spec.events_per_job)
        if rule.events:
            _split(task, spec)
        return _cut_files(
            task, Stage.WORK, rule, more_to_come=task.input_open, most=most, scout=scout
        )
    spans = splitting.by_events(
        total=spec.events, per_piece=spec.events_per_job, cut=task.events_cut, most=most
    )
    if not spans:
        return 0
    rows = [(span.first, span.n, 0, 0) for span in spans]
    _insert(task, Stage.WORK, rows, scout=scout)
    _book(task, sum(span.n for span in spans))
    return len(spans)


def _cut_files(
    task: Task, stage: Stage, rule: Rule, *, more_to_come: bool, most: int, scout: bool = False
) -> int:
    """Pieces of the files that are in none yet."""
    uncut = TaskInput.objects.filter(task=task, stage=stage, piece=None).order_by("pk")
    if rule.events:
        uncut = uncut.filter(first_event__gt=0)
    rows = uncut.values_list(*_READ)[: FILES + 1]
    files = [_in_file(*row, per_file=task.spec.get("events_per_file", 0)) for row in rows]
    more = more_to_come or len(files) > FILES
    groups = splitting.by_files(files[:FILES], rule, more_to_come=more, most=most)
    if not groups:
        return 0
    sums = [
        (max(1, group[0].first), events_of(group), len(group), sum(file.size for file in group))
        for group in groups
    ]
    keys = _insert(task, stage, sums, scout=scout)
    taken = [(f.key, key) for key, group in zip(keys, groups, strict=True) for f in group]
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [list(column) for column in zip(*taken, strict=True)])
    if stage == Stage.WORK:
        _book(task, sum(events for _, events, _, _ in sums))
    return len(groups)


_READ = ("pk", "file__size", "file__events", "n_events", "first_event")


def _in_file(
    key: int, size: int, events: int | None, n_events: int, first: int, *, per_file: int
) -> InFile:
    """`first` is that of a part alone: a whole file that was looked at is a whole file."""
    whole = per_file or events or 0
    part = first > 1 or (first and n_events < whole)
    return InFile(key, size, n_events or whole, first if part else 0)


def _insert(
    task: Task, stage: Stage, rows: Sequence[tuple[int, int, int, int]], *, scout: bool
) -> list[int]:
    """New pieces, their numbers behind those that there are; returns their keys."""
    there = TaskPiece.objects.filter(task=task, stage=stage).aggregate(n=Max("serial"))["n"] or 0
    keys = reserve_keys(TaskPiece, len(rows))
    new = NewRows(TaskPiece, _COLUMNS, task_id=task.pk, stage=stage.value, scout=scout)
    new.insert(
        (key, serial, *row)
        for serial, (key, row) in enumerate(zip(keys, rows, strict=True), start=there + 1)
    )
    return keys


def _book(task: Task, events: int) -> None:
    Task.objects.filter(pk=task.pk).update(events_cut=F("events_cut") + events)


def began(task_ids: Sequence[int], *, now: dt.datetime) -> None:
    """Note when the first jobs of tasks were made."""
    inorder.update(Task.objects.filter(pk__in=task_ids, began_at=None), began_at=now)
