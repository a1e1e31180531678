"""What Bamboo keeps on our side: what it took from prodDB, what it did in each round, and why.

The links stand in the same database as the jobs: a job and the note that its definition has one
are written in one transaction, so that no definition has two, whatever dies between.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from brokerage.models import Cloud
from jobs.models.task import Task


class BambooTask(models.Model):
    """A task request that was taken. `state` and `seq`: what prodDB is to say, and its number."""

    class Kind(models.TextChoices):
        DEFINED = "defined", "its jobs are defined in prodDB"
        ENGINE = "engine", "the tasks engine makes its jobs"

    request_id = models.BigIntegerField(primary_key=True)
    task = models.OneToOneField(Task, on_delete=models.PROTECT, related_name="bamboo")
    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=255)
    processing_type = models.CharField(max_length=64, blank=True)
    priority = models.IntegerField(default=0)
    wanted_cloud = models.CharField(max_length=16, blank=True)
    validation = models.BooleanField(default=False)
    input_dataset = models.CharField(max_length=255, blank=True)
    cloud = models.ForeignKey(Cloud, null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, default="ASSIGNING")
    reason = models.CharField(max_length=500, blank=True)
    abort = models.BooleanField(default=False, help_text="production wants it ended")
    to_submit = models.IntegerField(default=0, help_text="definitions left in prodDB, when counted")
    jobs_total = models.IntegerField(default=0)
    jobs_finished = models.IntegerField(default=0)
    jobs_failed = models.IntegerField(default=0)
    files_done = models.IntegerField(default=0)
    seq = models.IntegerField(default=1)
    written_seq = models.IntegerField(default=0, help_text="what prodDB has confirmed")
    stale = models.BooleanField(default=True, help_text="something of it has changed: sum it up")
    taken_at = models.DateTimeField()
    considered_at = models.DateTimeField(null=True, help_text="when it last got no cloud")

    class Meta:
        ordering = ["-request_id"]
        indexes = [
            # each cycle: tasks that have no cloud yet, by priority
            models.Index(
                fields=["-priority", "request_id"],
                condition=Q(state="ASSIGNING", abort=False),
                name="bamboo_to_assign",
            ),
            # each cycle: the work that is left of tasks under way
            models.Index(fields=["state"], name="bamboo_task_state"),
            # each cycle: tasks to be summed up
            models.Index(fields=["request_id"], condition=Q(stale=True), name="bamboo_task_stale"),
            # each cycle: states that prodDB has not confirmed
            models.Index(
                fields=["request_id"],
                condition=~Q(seq=models.F("written_seq")),
                name="bamboo_task_to_write",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.name}"


class BambooJob(models.Model):
    """A job definition that has a job: written once, by its key, together with the job."""

    definition_id = models.BigIntegerField(primary_key=True)
    request = models.ForeignKey(
        BambooTask, on_delete=models.PROTECT, related_name="jobs", db_index=False
    )
    panda_id = models.BigIntegerField(help_text="the job, or its latest successor", unique=True)
    state = models.CharField(max_length=12, help_text="of that job, as prodDB has confirmed it")
    seq = models.IntegerField(default=0, help_text="the event that prodDB has confirmed")
    settled = models.BooleanField(default=False, help_text="that was its end")

    class Meta:
        ordering = ["definition_id"]
        indexes = [
            # each cycle: jobs whose end prodDB has not confirmed, a page at a time
            models.Index(fields=["panda_id"], condition=Q(settled=False), name="bamboo_job_open"),
            # the sums of a task; without the state, which would be written here at each change
            models.Index(fields=["request"], name="bamboo_job_of_task"),
        ]

    def __str__(self) -> str:
        return f"{self.definition_id}: job {self.panda_id}"


class BambooRound(models.Model):
    """One cycle, as the status page shows it. `steps`: name, rows, seconds, trouble of each."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        MORE = "more", "more is left for the next round"
        TROUBLE = "trouble"

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    host = models.CharField(max_length=128)
    step = models.CharField(max_length=32, blank=True, help_text="where it is, or where it ended")
    steps = models.JSONField(default=list)
    taken = models.IntegerField(default=0, help_text="tasks")
    assigned = models.IntegerField(default=0, help_text="tasks that were given a cloud")
    submitted = models.IntegerField(default=0, help_text="jobs")
    written = models.IntegerField(default=0, help_text="states of jobs and tasks")
    killed = models.IntegerField(default=0, help_text="jobs that were cancelled or told to end")
    refused = models.IntegerField(default=0, help_text="rows of prodDB")
    backlog_tasks = models.IntegerField(null=True)
    backlog_jobs = models.IntegerField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at"]
        # the status page and the lamp: the rounds of the last hours, latest first
        indexes = [models.Index(fields=["-started_at"], name="bamboo_round_time")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S} {self.state}"

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it goes on, or when it was killed."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


class CloudDecision(models.Model):
    """Why a task went to its cloud, or to none: what each cloud said. One row until it has one."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="cloud_decisions")
    at = models.DateTimeField(help_text="the last time that this was so")
    first_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    cloud = models.ForeignKey(
        Cloud, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    gist = models.CharField(max_length=500)
    draw = models.FloatField(null=True)
    verdicts = models.JSONField(default=list, help_text="cloud, accepted, rule, reason, weight")

    class Meta:
        ordering = ["-at"]
        # the page of task brokerage: the last hours, latest first
        indexes = [models.Index(fields=["-at"], name="cloud_decision_time")]

    def __str__(self) -> str:
        return f"{self.task_id}: {self.gist}"


class BambooSubmission(models.Model):
    """Jobs of a task that a round submitted, and definitions that it refused."""

    round = models.ForeignKey(BambooRound, on_delete=models.CASCADE, related_name="submissions")
    task = models.ForeignKey(BambooTask, on_delete=models.CASCADE, related_name="submissions")
    at = models.DateTimeField()
    jobs = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["round", "task"], name="bamboo_submission_once")
        ]
        # the page of job submissions: the last hours, latest first
        indexes = [models.Index(fields=["-at"], name="bamboo_submission_time")]

    def __str__(self) -> str:
        return f"{self.task_id}: {self.jobs}"


class BambooRefusal(models.Model):
    """A row of prodDB that makes no sense, with the reason that it was answered with."""

    round = models.ForeignKey(BambooRound, on_delete=models.CASCADE, related_name="refusals")
    at = models.DateTimeField()
    kind = models.CharField(max_length=4, help_text="task or job")
    subject_id = models.BigIntegerField()
    name = models.CharField(max_length=255, blank=True)
    reason = models.TextField()

    class Meta:
        ordering = ["-at"]
        # the status page: the last hours, latest first
        indexes = [models.Index(fields=["-at"], name="bamboo_refusal_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}: {self.reason}"
