"""What jobs have made, booked set by set: catalogue, datasets, replicas, and the jobs' own rows."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from datasets import registry
from datasets.models import Dataset
from datasets.registry import Name, NewFile
from jobs.labels import is_analysis
from jobs.models import Job, JobFile
from jobs.sending import Made, Outgoing, send_home, wish_elsewhere

log = logging.getLogger(__name__)
MOVER = "mover"  # processing type of PandaMover's jobs


class Held(NamedTuple):
    """A job that the caller has locked, and the storage element (by key) it wrote to."""

    job: Job
    here_id: int

    @property
    def leaves(self) -> bool:
        """Whether what it made has to travel."""
        home = self.job.destination_se_id
        return home not in (None, self.here_id) and not is_analysis(self.job.prod_source_label)


class Reported(NamedTuple):
    """A file that a pilot has reported: its JobFile's key, its job, its dataset.

    `moved`: the catalogue knew it before; PandaMover's job made a copy, which mover.py books.
    """

    row_id: int
    job_id: int
    type: str
    dataset_id: int | None
    file: NewFile
    moved: bool = False


@dataclass
class Booked:
    """What is to become of the jobs whose pilots said finished, by PandaID."""

    at_home: list[int] = field(default_factory=list)
    leaving: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  # by home
    refused: dict[int, str] = field(default_factory=dict)  # why it cannot be


def book(held: Sequence[Held], *, now: dt.datetime) -> Booked:
    """Register the logs of all and the outputs of the finished, and send home what has to go.

    A log whose name is taken is no reason to lose what the job has made; an output is.
    """
    finished = {one.job.pk for one in held if one.job.verdict != "failed"}
    reported = [row for row in _reported(held) if row.type == "log" or row.job_id in finished]
    taken = registry.taken([row.file for row in reported])
    lost = [row for row in reported if row.file.name in taken]
    _give_up_logs([row for row in lost if row.type == "log"], taken)
    booked = Booked(
        refused={row.job_id: taken[row.file.name] for row in lost if row.type == "output"}
    )
    good = [
        row
        for row in reported
        if row.file.name not in taken
        and not (row.type == "output" and row.job_id in booked.refused)
    ]
    _register(good, {one.job.pk: one for one in held}, now)
    made = {row.job_id for row in good if row.type == "output"}
    for one in held:
        if one.job.pk not in finished or one.job.pk in booked.refused:
            continue
        if one.leaves and one.job.pk in made and one.job.destination_se:
            booked.leaving[one.job.destination_se.name].append(one.job.pk)
        else:
            booked.at_home.append(one.job.pk)
    return booked


def _reported(held: Sequence[Held]) -> list[Reported]:
    rows = JobFile.objects.filter(
        job__in=[one.job.pk for one in held],
        type__in=[JobFile.Type.OUTPUT, JobFile.Type.LOG],
        size__isnull=False,
    )
    columns = ("scope", "lfn", "guid", "size", "adler32", "events")
    found = rows.order_by("pk").values_list(
        "pk", "job", "type", "dataset", "job__processing_type", "file__guid", *columns
    )
    return [
        Reported(row_id, job_id, kind, dataset_id, *_file(processing, guid, NewFile(*facts)))
        for row_id, job_id, kind, dataset_id, processing, guid, *facts in found
    ]


def _file(processing: str, guid: str | None, said: NewFile) -> tuple[NewFile, bool]:
    """What is to be registered, and whether it is a copy: that one keeps the GUID it has."""
    if processing != MOVER or guid is None:
        return said, False
    return said._replace(guid=guid), True


def _give_up_logs(logs: Sequence[Reported], taken: Mapping[Name, str]) -> None:
    for row in logs:
        facts = {"panda_id": row.job_id, "error": taken[row.file.name]}
        log.warning("log_not_registered", extra=facts)
    keys = [row.row_id for row in logs]
    JobFile.objects.filter(pk__in=keys, file=None).update(status=JobFile.Status.FAILED)


def _register(rows: Sequence[Reported], held: Mapping[int, Held], now: dt.datetime) -> None:
    keys = registry.enter([row.file for row in rows], now=now)
    files = [(row, keys[row.file.name], held[row.job_id]) for row in rows]
    registry.add_members((row.dataset_id, file) for row, file, _ in files if row.dataset_id)
    registry.add_replicas(
        ((file, one.here_id) for row, file, one in files if not row.moved), now=now
    )
    outgoing = [
        Outgoing(
            row.row_id, row.job_id, file, row.dataset_id, one.here_id,
            one.job.destination_se_id or 0, one.job.vo.name,
        )
        for row, file, one in files
        if row.type == "output" and one.leaves
    ]  # fmt: skip
    blocks = send_home(outgoing, now=now)
    wish_elsewhere(_to_stay(files, blocks), now=now)
    _mark([(row.row_id, file, blocks.get(row.row_id)) for row, file, _ in files])


def _to_stay(files: Sequence[tuple[Reported, int, Held]], blocks: Mapping[int, int]) -> list[Made]:
    """Outputs in their datasets, at home or where they have been made; `blocks` by JobFile."""
    if not any(settings.PANDASITE_DDM.values()):
        return []
    parents = dict(Dataset.objects.filter(pk__in=blocks.values()).values_list("pk", "parent"))
    found = []
    for row, file, one in files:
        dataset = row.dataset_id or parents.get(blocks.get(row.row_id, 0))
        if row.type == "output" and dataset and not row.moved:
            stays_at = one.job.destination_se_id if one.leaves else None
            found.append(Made(file, dataset, stays_at or one.here_id, one.job.vo.name))
    return found


_MARK = """
UPDATE jobs_jobfile f SET file_id = s.file_id, block_id = coalesce(s.block_id, f.block_id),
  status = CASE WHEN s.block_id IS NULL THEN 'ready' ELSE 'transferring' END
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS s (id, file_id, block_id)
WHERE f.id = s.id
"""


def _mark(rows: Sequence[tuple[int, int, int | None]]) -> None:
    """The jobs' own rows know the file of the catalogue, and the block that it travels in."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_MARK, [list(column) for column in zip(*rows, strict=True)])
