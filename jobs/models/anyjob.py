"""Jobs live and ended, in one queryset: what pages, lists and reading commands ask.

Jobs that have ended for a while are moved out of the live tables, with their files, events and
output, into tables that are partitioned by the week of the end (`jobs/sql/ended.sql`). The models
here are views over both sides. Nothing is written through them, and nobody who goes on to write
asks them: services, sweeps and dispatch use Job, JobFile, JobEvent and JobOutput.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.conf import settings
from django.db import connection, models
from django.db.models import QuerySet

from brokerage.models import VO
from datasets.models import Dataset, File
from jobs.models.books import BrokerageDecision
from jobs.models.columns import JobColumns
from jobs.models.file import JobFile, JobFileColumns
from jobs.models.job import Job
from jobs.models.pilot import Pilot
from jobs.models.task import Task
from jobs.models.trace import JobEvent, JobEventColumns, JobOutput, JobOutputColumns

# Where rows lie: those of an ended job under its end, all live ones here. A query that names the
# shelf looks into one partition, or into the live table alone.
LIVE_SHELF = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


class Shelved(models.Model):
    """A row of a view over both sides."""

    live: ClassVar[type[models.Model]]  # the model of the live side
    shelf = models.DateTimeField(editable=False)

    class Meta:
        abstract = True
        managed = False
        default_permissions = ()  # who may see the live rows may see these: jobs/admin/work.py


def _looked_up(function: str, panda_id: int) -> Any:
    """The answer of a function of jobs/sql/find.sql."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [panda_id])
        return cursor.fetchone()[0]


class AnyJobQuerySet(models.QuerySet["AnyJob"]):
    """The words for one job of any age, within one snapshot: meanwhile it could move else."""

    def known(self, panda_id: int) -> AnyJobQuerySet:
        """The job of that PandaID or none, looked for where it lies: not in all weeks there are."""
        shelf = _looked_up("jobs_shelf", panda_id)
        return self.filter(pk=panda_id, shelf=shelf) if shelf else self.none()

    def successor_of(self, panda_id: int) -> AnyJobQuerySet:
        """The job that succeeds a failed one, or none."""
        found = _looked_up("jobs_successor", panda_id)
        return self.known(found) if found else self.none()


class AnyJob(JobColumns, Shelved):
    """A job, live or ended."""

    live = Job
    objects = AnyJobQuerySet.as_manager()
    # As in Job, but that nothing here is known by another's name, and that pilots and decisions go
    # without asking the archive.
    task = models.ForeignKey(
        Task, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # Always there; but an outer join leaves the planner no room to guess that it loses most rows.
    vo: models.ForeignKey[VO, VO] = models.ForeignKey(  # type: ignore[misc]
        VO, null=True, on_delete=models.PROTECT, verbose_name="VO"
    )
    decision = models.ForeignKey(
        BrokerageDecision, null=True, blank=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    pilot = models.ForeignKey(
        Pilot, null=True, blank=True, on_delete=models.DO_NOTHING, related_name="+"
    )

    class Meta(JobColumns.Meta, Shelved.Meta):
        db_table = "jobs_anyjob"
        verbose_name = "job"

    @property
    def files(self) -> QuerySet[AnyJobFile]:
        """Its files."""
        return AnyJobFile.objects.filter(**self._mine())

    @property
    def events(self) -> QuerySet[AnyJobEvent]:
        """Its history."""
        return AnyJobEvent.objects.filter(**self._mine())

    @property
    def output(self) -> AnyJobOutput | None:
        """The end of its output."""
        return AnyJobOutput.objects.filter(**self._mine()).first()

    def _mine(self) -> dict[str, Any]:
        return {"job": self.pk, "shelf": self.shelf}


class AnyJobFile(JobFileColumns, Shelved):
    """A file of a job, live or ended."""

    live = JobFile
    job = models.ForeignKey(AnyJob, on_delete=models.DO_NOTHING, related_name="+")
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    block = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    file = models.ForeignKey(
        File, null=True, blank=True, on_delete=models.DO_NOTHING, related_name="+"
    )

    class Meta(JobFileColumns.Meta, Shelved.Meta):
        db_table = "jobs_anyjobfile"
        verbose_name = "job file"


class AnyJobEvent(JobEventColumns, Shelved):
    """A state change of a job, live or ended."""

    live = JobEvent
    job = models.ForeignKey(AnyJob, on_delete=models.DO_NOTHING, related_name="+")

    class Meta(JobEventColumns.Meta, Shelved.Meta):
        db_table = "jobs_anyjobevent"
        verbose_name = "job event"


class AnyJobOutput(JobOutputColumns, Shelved):
    """The end of the output of a job, live or ended."""

    live = JobOutput
    job = models.OneToOneField(
        AnyJob, primary_key=True, on_delete=models.DO_NOTHING, related_name="+"
    )

    class Meta(JobOutputColumns.Meta, Shelved.Meta):
        db_table = "jobs_anyjoboutput"
        verbose_name = "job output"
