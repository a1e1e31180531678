"""Bookkeeping around jobs: idempotency keys, decisions, error meanings, transformations, counts."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import RegexValidator
from django.db import models


class ClaimKey(models.Model):
    """A claim that gave a job: the same key and body get the same answer again for a day."""

    pk = models.CompositePrimaryKey("account_id", "key")
    # no constraint: it would be checked with each claim
    account = models.ForeignKey(
        "jobs.PilotAccount",
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,  # the key begins with it
    )
    key = models.CharField(max_length=64)
    body_sha256 = models.CharField(max_length=64)
    salt = models.CharField(max_length=64)
    panda_ids = ArrayField(models.BigIntegerField(), default=list)
    attempts = ArrayField(models.IntegerField(), default=list, help_text="of those jobs, in order")
    created_at = models.DateTimeField()

    class Meta:
        # housekeeping: rows lie in the order of their birth, so ranges of pages are enough
        indexes = [BrinIndex(fields=["created_at"], pages_per_range=16, name="claim_key_born")]

    def __str__(self) -> str:
        return self.key


class SubmitKey(models.Model):
    """A submission with a key: repeated, it answers with the jobs of the first time."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    body_sha256 = models.CharField(max_length=64)
    panda_ids = models.JSONField(default=list)
    created_at = models.DateTimeField(db_index=True)  # housekeeping

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="submit_key_once")]

    def __str__(self) -> str:
        return self.key


class BrokerageDecision(models.Model):
    """What brokerage decided for a bunch of jobs: each site's refusal or weight, and the choice."""

    at = models.DateTimeField(db_index=True)
    site = models.CharField(max_length=64, blank=True, help_text="empty = none chosen")
    n_jobs = models.IntegerField()
    detail = models.JSONField()
    gist = models.CharField(
        max_length=16, blank=True, help_text="the same while only its numbers change"
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.site or 'no site'}"


class ErrorCode(models.Model):
    """The meaning of an error code, from jobs/errors.py; `do_not_retry` belongs to the admin."""

    component = models.CharField(max_length=16)
    code = models.IntegerField()
    source = models.CharField(max_length=16, help_text="who gave the code this meaning")
    acronym = models.CharField(max_length=64, blank=True)
    meaning = models.CharField(max_length=255)
    do_not_retry = models.BooleanField(default=False)

    class Meta:
        ordering = ["component", "code", "source"]
        constraints = [
            models.UniqueConstraint(fields=["component", "code", "source"], name="error_code_once")
        ]

    def __str__(self) -> str:
        return f"{self.component} {self.code}: {self.meaning}"


class Transformation(models.Model):
    """A program that jobs may name at submission. An empty table leaves the name unchecked."""

    name = models.CharField(
        max_length=255,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[^*\s]+\*?\Z", "A name without blanks; a * may stand at its end, for any rest."
            )
        ],
        help_text="As jobs name it, such as evgen.py; share/* stands for all that begin so.",
    )
    description = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            # only a * at the end is understood
            models.CheckConstraint(
                condition=models.Q(name__regex=r"^[^*\s]+\*?$"), name="transformation_pattern"
            )
        ]

    def __str__(self) -> str:
        return self.name


class QueueKind(models.Model):
    """A kind of requirements that jobs activated at a site have: what a claim chooses among.

    Written by a trigger of the job table (jobs/sql/queue.sql) in the transaction that activates a
    job; jobs/queue.py clears those that no job has any more.
    """

    pk = models.CompositePrimaryKey("site_id", "requirement")
    site_id = models.BigIntegerField()
    requirement = models.BigIntegerField(help_text="jobs_requirement() of all that follows")
    label = models.CharField(max_length=20)
    vo_id = models.BigIntegerField()
    processing_type = models.CharField(max_length=64)
    release_key = models.CharField(max_length=129, help_text="AtlasRelease|cmtConfig")
    min_ram_count = models.IntegerField()
    max_disk_count = models.IntegerField()
    min_cpu_speed = models.IntegerField()
    core_count = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.label} {self.release_key} at site {self.site_id}"


class SiteRoom(models.Model):
    """How many more jobs pilots may at least hold at a site that has a cap: jobs/sql/room.sql."""

    site_id = models.BigIntegerField(primary_key=True)
    job_cap = models.IntegerField(help_text="the cap that it was counted for")
    room = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.room} of {self.job_cap} at site {self.site_id}"


class _Answered(models.Model):
    """How many answers of an outcome a site's pilots had: `job` counts jobs handed out."""

    site_id = models.BigIntegerField()
    outcome = models.CharField(max_length=16)
    hour = models.DateTimeField()
    n = models.BigIntegerField()

    class Meta:
        abstract = True


class AnswerCount(_Answered):
    """Folded answers, by the hour; the truth is this plus what AnswerDelta still holds."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hour", "site_id", "outcome"], name="answer_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.n}"


class AnswerDelta(_Answered):
    """Append-only log of answers to claims, for the same reason as CountDelta."""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.n:+d}"


class _Counted(models.Model):
    """A number of jobs by what the dashboard asks for. 0 stands for "no cloud" and "no site".

    `hour` is the hour of the end for final states and 1970-01-01 for live ones;
    `payload_error` marks failures that the payload caused (the dashboard's `trf`).
    """

    cloud_id = models.BigIntegerField()
    site_id = models.BigIntegerField()
    label = models.CharField(max_length=20)
    state = models.CharField(max_length=12)
    hour = models.DateTimeField()
    payload_error = models.BooleanField()
    n = models.BigIntegerField()
    latest = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class JobCount(_Counted):
    """Folded counts; the truth is this plus what CountDelta still holds."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cloud_id", "site_id", "label", "state", "hour", "payload_error"],
                name="job_count_once",
            )
        ]
        # counts.read: live jobs and the hours of a window; counts.merge_old: the hours before
        indexes = [models.Index(fields=["hour"], name="job_count_hour")]

    def __str__(self) -> str:
        return f"{self.state}: {self.n}"


class EndedTotal(models.Model):
    """All that ever ended, as JobCount has it by the hour: for who asks without a window.

    Written with JobCount, by the fold of the deltas; the truth is this plus what they still hold.
    """

    cloud_id = models.BigIntegerField()
    site_id = models.BigIntegerField()
    label = models.CharField(max_length=20)
    state = models.CharField(max_length=12)
    payload_error = models.BooleanField()
    n = models.BigIntegerField()

    class Meta:
        constraints = [
            # counts.fold adds to a row; countsums reads them all
            models.UniqueConstraint(
                fields=["cloud_id", "site_id", "label", "state", "payload_error"],
                name="ended_total_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.state}: {self.n}"


class CountDelta(_Counted):
    """Append-only log written by a trigger in the transaction of each state change.

    No row is ever shared between transactions, so that thousands of pilots never queue for a
    counter; the sweep `jobs.fold_counts` folds the rows away. The database keeps no index of `id`,
    since nobody looks for one row.
    """

    def __str__(self) -> str:
        return f"{self.state}: {self.n:+d}"
