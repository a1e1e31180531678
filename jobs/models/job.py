"""The job. States are written by jobs/services.py alone."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from jobs.models.columns import ERROR_COMPONENTS, JobColumns
from jobs.states import FINAL, LEASED, JobState

if TYPE_CHECKING:
    import datetime as dt

HAS_ERROR = reduce(or_, (~Q(**{f"{c}_error_code": 0}) for c in ERROR_COMPONENTS))

# What a job asks of a pilot, as one number: jobs/sql/requirement.sql.
REQUIREMENT = models.Func(
    "prod_source_label",
    "vo",
    "processing_type",
    "atlas_release",
    "cmt_config",
    "min_ram_count",
    "max_disk_count",
    "min_cpu_speed",
    "core_count",
    function="jobs_requirement",
    output_field=models.BigIntegerField(),
)


# Whether what holds for each job holds for this one: jobs/sql/right.sql.
RIGHT = models.Func(
    "state",
    "end_time",
    "lease_until",
    "lease_sha256",
    "computing_site",
    function="jobs_job_right",
    output_field=models.BooleanField(),
)


class JobQuerySet(models.QuerySet["Job"]):
    """The words in which the services and pages speak of jobs."""

    def leased(self) -> JobQuerySet:
        """With a pilot."""
        return self.filter(state__in=LEASED)

    def silent_since(self, cutoff: dt.datetime) -> JobQuerySet:
        """With a pilot whose lease ran out before `cutoff`; the pulse knows."""
        return self.filter(pulse__due__lt=cutoff, pulse__lease_until__lt=cutoff)

    def in_state_since(self, cutoff: dt.datetime, *states: JobState) -> JobQuerySet:
        """In one of the states, unchanged since before `cutoff`."""
        return self.filter(state__in=states, state_change_time__lt=cutoff)


class Job(JobColumns):
    """A job that is not in the archive: live, or ended of late. `AnyJob` has the others too."""

    objects = JobQuerySet.as_manager()

    class Meta(JobColumns.Meta):
        permissions = [
            ("submit_production", "Can submit production jobs and set any priority"),
            ("kill_any_job", "Can kill the jobs of others"),
            ("retry_any_job", "Can try failed jobs of others again"),
        ]
        constraints = [
            # known state, end, lease and site of a job in it: jobs/sql/right.sql
            models.CheckConstraint(condition=RIGHT, name="job_right"),
            # a failed job has at most one successor, whoever makes it
            models.UniqueConstraint(
                fields=["retry_of"], condition=Q(retry_of__isnull=False), name="one_successor"
            ),
        ]
        indexes = [
            # the claim: the head of a site's queue, highest priority, then lowest PandaID
            models.Index(
                "computing_site",
                models.F("current_priority").desc(),
                "panda_id",
                condition=Q(state="activated"),
                name="job_head",
            ),
            # the claim, where the head does not fit: the head of one kind of requirements
            models.Index(
                "computing_site",
                REQUIREMENT,
                models.F("current_priority").desc(),
                "panda_id",
                condition=Q(state="activated"),
                name="job_queue",
            ),
            # jobs.shares: the queues of a site by share and user, and the head of each
            models.Index(
                "computing_site",
                "working_group",
                "processing_type",
                "prod_user_id",
                models.F("current_priority").desc(),
                "panda_id",
                condition=Q(state="activated"),
                name="job_stream",
            ),
            # brokerage's page: never looked at first, then longest ago, then by priority
            models.Index(
                models.F("considered_at").asc(nulls_first=True),
                models.F("current_priority").desc(),
                "panda_id",
                condition=Q(state="defined"),
                name="job_to_broker",
            ),
            # the watchdog: jobs that have been in queues for too long
            models.Index(
                fields=["queued_since"],
                condition=Q(state__in=[JobState.DEFINED, JobState.ASSIGNED, JobState.ACTIVATED]),
                name="job_queued_since",
            ),
            # sweeps and the dashboard's "not updated since": live jobs by state and age
            models.Index(
                fields=["state", "state_change_time"],
                condition=~Q(state__in=FINAL),
                name="job_live",
            ),
            # the patrols of the sweeps over jobs that wait for files: a part of them in turn
            models.Index(
                fields=["state", "panda_id"],
                condition=Q(state__in=[JobState.WAITING, JobState.ASSIGNED, JobState.TRANSFERRING]),
                name="job_patrol",
            ),
            # job lists by site and state, newest first
            models.Index(fields=["computing_site", "state", "-panda_id"], name="job_site_state"),
            # job lists by user, newest first
            models.Index(fields=["prod_user_id", "-panda_id"], name="job_user"),
            # job lists by state over the last hours; jobs.archive, the longest ended first
            models.Index(
                fields=["state", "-end_time"], condition=Q(state__in=FINAL), name="job_final"
            ),
            # job lists by cloud and state over the last hours: no claim writes it
            models.Index(
                fields=["cloud", "state", "-end_time"],
                condition=Q(state__in=FINAL),
                name="job_cloud_final",
            ),
            # job lists by error, newest first: few jobs have one, and no claim writes it. The codes
            # are there so that a rare one is found without looking at every job that has another.
            models.Index(
                fields=["-panda_id", *(f"{c}_error_code" for c in ERROR_COMPONENTS)],
                condition=HAS_ERROR,
                name="job_with_error",
            ),
        ]
