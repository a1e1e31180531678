"""What brokerage reads of jobs: whose turn it is, by pages, as plain rows."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Q

from brokerage.policy import Needs, bunches
from jobs.models import AnyJob, Job, JobFile
from jobs.quotas import held
from jobs.states import JobState

PAGE = 2000  # jobs read at once
FILES = 20_000  # that those may read

# Columns of Job in the order of Applicant; all from `cloud_fixed` on say what the job asks for.
_COLUMNS = (
    "panda_id", "decision__gist", "cloud__name", "computing_site__name", "cloud_fixed",
    "site_fixed", "prod_d_block", "task_id", "prod_source_label", "processing_type",
    "current_priority", "vo__name", "atlas_release", "cmt_config", "min_ram_count",
    "max_disk_count", "min_cpu_speed", "core_count", "max_cpu_count",
)  # fmt: skip


class Input(NamedTuple):
    """An input of a job: its row, and the catalogue's file."""

    row: int
    file: int | None


class Applicant(NamedTuple):
    """A job that asks for a site. A row and no model: a round reads tens of thousands.

    `gist` is that of its last decision, None when it has none.
    """

    panda_id: int
    gist: str | None
    cloud: str | None
    site: str | None
    cloud_fixed: bool
    site_fixed: bool
    prod_d_block: str
    task_id: int | None
    label: str
    processing_type: str
    priority: int
    vo: str
    release: str
    cmt_config: str
    memory_mb: int
    disk_mb: int
    cpu_speed_mhz: int
    core_count: int
    wall_seconds: int
    inputs: tuple[Input, ...] = ()
    files: frozenset[int] = frozenset()  # the catalogue's keys of those that it knows

    @property
    def alike(self) -> tuple[object, ...]:
        """Jobs with the same key may be placed together."""
        return (self.cloud_fixed and self.cloud, self.site_fixed and self.site, self[4:-2])

    def reading(self, inputs: Sequence[Input]) -> Applicant:
        """The same job with its inputs."""
        known = frozenset(wanted.file for wanted in inputs if wanted.file is not None)
        return self._replace(inputs=tuple(inputs), files=known)


def pages(now: dt.datetime) -> Iterator[list[Applicant]]:
    """Defined jobs that this round has not looked at.

    Those that nobody ever looked at come first, then the longest ago, then by priority. Jobs that
    came after the round began have to wait, and so do those of who is over a hard quota.
    """
    due = Job.objects.filter(
        Q(considered_at=None) | Q(considered_at__lt=now),
        state=JobState.DEFINED,
        state_change_time__lte=now,
    )
    users, groups = held()
    if users or groups:
        due = due.exclude(Q(prod_user_id__in=users) | Q(working_group__in=groups))
    longest_ago = F("considered_at").asc(nulls_first=True)
    in_turn = due.order_by(longest_ago, "-current_priority", "panda_id").values_list(*_COLUMNS)
    seen: set[int] = set()  # a job that somebody else holds is not marked, and would come again
    while fresh := [row for row in in_turn[:PAGE] if row[0] not in seen]:
        page = _with_inputs(fresh)
        yield page
        seen.update(job.panda_id for job in page)


def applicant(job: Job | AnyJob) -> Applicant:
    """A job in any state, as if it asked now."""
    row = type(job).objects.filter(pk=job.pk).values_list(*_COLUMNS).get()
    inputs = job.files.filter(type=JobFile.Type.INPUT).order_by("pk").values_list("pk", "file")
    return Applicant(*row).reading([Input(*columns) for columns in inputs])


def in_bunches(page: Iterable[Applicant], size: int) -> list[list[Applicant]]:
    """Like jobs together, at most `size` of them or of their files."""
    return list(bunches(page, key=lambda job: job.alike, files=lambda job: job.files, size=size))


def needs_of(bunch: Sequence[Applicant]) -> Needs:
    """What a bunch of like jobs asks for: the first speaks for all, files are counted over all."""
    first = bunch[0]
    return Needs(
        label=first.label,
        cloud=first.cloud if first.cloud_fixed else None,
        site=first.site if first.site_fixed else None,
        processing_type=first.processing_type,
        priority=first.priority,
        vo=first.vo,
        release=first.release,
        cmt_config=first.cmt_config,
        memory_mb=first.memory_mb,
        disk_mb=first.disk_mb,
        cpu_speed_mhz=first.cpu_speed_mhz,
        core_count=first.core_count,
        wall_seconds=first.wall_seconds,
        n_jobs=len(bunch),
        input_files=max(len(job.inputs) for job in bunch),
        total_input_files=len(files_of(bunch)),
    )


def files_of(bunch: Iterable[Applicant]) -> set[int]:
    """Keys of the catalogue's files that the jobs read, all together."""
    return set().union(*(job.files for job in bunch))


_N_FILES = """
SELECT job_id, count(*) FROM jobs_jobfile WHERE job_id = ANY(%s) AND type = 'input' GROUP BY job_id
"""
_FILES = """
SELECT job_id, id, file_id FROM jobs_jobfile WHERE job_id = ANY(%s) AND type = 'input' ORDER BY id
"""


def _with_inputs(rows: Iterable[tuple[Any, ...]]) -> list[Applicant]:
    """Those of the jobs, in this order, that together read so many files; one at least."""
    jobs = [Applicant(*row) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(_N_FILES, [[job.panda_id for job in jobs]])
        n_files = dict(cursor.fetchall())
        totals = accumulate(n_files.get(job.panda_id, 0) for job in jobs)
        jobs = jobs[: max(1, sum(1 for total in totals if total <= FILES))]
        readers = [job.panda_id for job in jobs if job.panda_id in n_files]
        cursor.execute(_FILES, [readers])
        inputs: defaultdict[int, list[Input]] = defaultdict(list)
        for panda_id, row, file in cursor.fetchall():
            inputs[panda_id].append(Input(row, file))
    return [job.reading(read) if (read := inputs.get(job.panda_id)) else job for job in jobs]
