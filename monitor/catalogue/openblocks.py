"""Blocks that are not at their end: what they carry, how far it is, and which jobs wait on it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.urls import reverse

from datasets.models import Dataset
from datasets.states import DatasetState
from monitor import columns
from monitor.catalogue.keyed import Moment, cursor_of, moment_of
from monitor.params import Params
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column

KINDS = {"dispatch": "dispatch (_dis): input to a site", "sub": "sub (_sub): output home"}
OPEN = (DatasetState.OPEN, DatasetState.TOBECLOSED, DatasetState.FROZEN)
SHOWN, TOLD = 50, 500
FILES_READ = 500  # of a block: more are "at least"

# Of each: files and those at the destination; jobs that wait on it; the last error on the way.
_COUNTS = """
SELECT d.id, f.n, f.ready, j.jobs, j.waiting, t.reason, t.error
FROM unnest(%(ids)s::bigint[]) AS wanted (id) JOIN datasets_dataset d ON d.id = wanted.id
CROSS JOIN LATERAL (
  SELECT count(*) AS n, count(r.id) AS ready FROM (
    SELECT file_id FROM datasets_datasetfile WHERE dataset_id = d.id LIMIT %(most)s
  ) m LEFT JOIN datasets_replica r ON r.file_id = m.file_id
    AND r.storage_id = d.destination_id AND r.state = 'available'
) f
CROSS JOIN LATERAL (
  SELECT count(DISTINCT jf.job_id) AS jobs,
    count(DISTINCT jf.job_id) FILTER (WHERE jf.status IN ('pending', 'transferring')) AS waiting
  FROM (
    SELECT job_id, status FROM jobs_jobfile WHERE block_id = d.id LIMIT %(most)s * 4
  ) jf JOIN jobs_job job ON job.panda_id = jf.job_id
  WHERE job.state NOT IN ('finished', 'failed', 'cancelled')
) j
LEFT JOIN LATERAL (
  SELECT t.reason, t.error FROM (
    SELECT file_id FROM datasets_datasetfile WHERE dataset_id = d.id LIMIT %(most)s
  ) m JOIN datasets_transfer t ON t.file_id = m.file_id AND t.destination_id = d.destination_id
  WHERE t.error <> '' AND t.state <> 'done' ORDER BY t.id DESC LIMIT 1
) t ON true
"""


@dataclass(frozen=True, kw_only=True)
class Block:
    """An open block."""

    dataset: Dataset
    files: int
    ready: int
    jobs: int
    waiting: int
    reason: str
    error: str

    name = property(lambda self: self.dataset.name)
    state = property(lambda self: self.dataset.state)
    created_at = property(lambda self: self.dataset.created_at)
    changed_at = property(lambda self: self.dataset.state_changed_at)

    @property
    def url(self) -> str:
        """The page of the block."""
        return reverse("monitor:dataset", args=[self.dataset.name])

    @property
    def jobs_url(self) -> str:
        """Its jobs, where the job list can show them."""
        of_input = self.dataset.type == Dataset.Type.DISPATCH and self.jobs
        return jobs_url(dispatch_block=self.dataset.name) if of_input else ""

    @property
    def source(self) -> str:
        return self.dataset.source.name if self.dataset.source else ""

    @property
    def destination(self) -> str:
        return self.dataset.destination.name if self.dataset.destination else ""


class BlockSheet(Sheet):
    """Open blocks, the oldest first."""

    name = columns.link("Block", "its page", url=lambda record: record.url, look="wrap")
    state = column("State", "open: files are added; frozen: it travels")
    source = column("From", "where its files were made; of a dispatch block each file may differ")
    destination = column("To", "the storage element that it is for")
    waiting = columns.number("Jobs waiting", "for files of it, and not ended")
    jobs = columns.number("Jobs", "not ended, with files in it", url=lambda record: record.jobs_url)
    ready = columns.number("Ready", "files that are at the destination")
    files = columns.number("Files", f"in it; at most {FILES_READ} are looked at")
    created_at = columns.time("Made (UTC)", "when")
    changed_at = columns.time("Since (UTC)", "in this state")
    reason = column("Reason", "of the last error, in a few words")
    error = column("Last error", "of a file that is missing there", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "No block is open."
        orderable = False


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A piece of the list; `behind` continues it."""

    blocks: Sequence[Block]
    behind: str


def read(params: Params) -> Listing:
    """The open blocks of a kind, those first that have been in their state for longest."""
    kind = params.choice("kind", KINDS, default="dispatch")
    most = SHOWN if params.values.get("format", "html") == "html" else TOLD
    found = _oldest(kind, moment_of(params.text("before")), most + 1)
    shown = found[:most]
    last = shown[-1] if len(found) > most else None
    behind = cursor_of(last.state_changed_at, last.pk) if last else ""
    return Listing(blocks=_counted(shown), behind=behind)


def _oldest(kind: str, behind: Moment | None, most: int) -> list[Dataset]:
    """Each state is a range of the index `dataset_open`; the ranges are merged here."""
    return heapq.nsmallest(
        most,
        (one for state in OPEN for one in _of_state(kind, state, behind, most)),
        key=lambda one: (one.state_changed_at, one.pk),
    )


def _of_state(
    kind: str, state: DatasetState, behind: Moment | None, most: int
) -> Iterable[Dataset]:
    rows = Dataset.objects.filter(type=kind, state=state).order_by("state_changed_at", "pk")
    if behind:
        at, key = behind
        rows = rows.filter(state_changed_at__gte=at).exclude(state_changed_at=at, pk__lte=key)
    return rows.select_related("source", "destination")[:most]


def _counted(rows: Sequence[Dataset]) -> list[Block]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"ids": [one.pk for one in rows], "most": FILES_READ})
        facts = {row[0]: row for row in cursor.fetchall()}
    found = []
    for one in rows:
        _key, files, ready, jobs, waiting, reason, error = facts[one.pk]
        block = Block(
            dataset=one,
            files=files,
            ready=ready,
            jobs=jobs,
            waiting=waiting,
            reason=reason or "",
            error=error or "",
        )
        found.append(block)
    return found
