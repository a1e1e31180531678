"""What became of ended jobs, in sums: errors with their cost, workflows, nodes (jobs/ends.py)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class _Hourly(models.Model):
    """A sum of jobs that ended in one hour; in one day, once that is three days ago."""

    hour = models.DateTimeField()

    class Meta:
        abstract = True


class _Somewhere(_Hourly):
    site_id = models.BigIntegerField(help_text="0 = none")

    class Meta:
        abstract = True


class _Said(_Hourly):
    """What jobs that ended carry. A job with two errors is in two sums, and `first` in one.

    `component` is '' for jobs that did not fail and `none` for failures without a code.
    """

    label = models.CharField(max_length=20)
    state = models.CharField(max_length=12)
    component = models.CharField(max_length=16)
    code = models.IntegerField()
    n = models.BigIntegerField(help_text="jobs that carry the error")
    jobs = models.BigIntegerField(help_text="jobs whose first error it is")
    cpu_s = models.BigIntegerField("CPU (s)", help_text="of those that carry it")
    lost_s = models.BigIntegerField("CPU (s)", help_text="of those whose first error it is")
    busy_s = models.BigIntegerField(
        "wall time x cores (s)", help_text="of those whose first error it is"
    )
    latest = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class _SaidSomewhere(_Said, _Somewhere):
    domain = models.CharField(max_length=128, help_text="of the node: wn1.a.org is in a.org")

    class Meta:
        abstract = True


class ErrorTotal(_Said):
    """The sums of ErrorCount over all sites: a page that asks for no place reads 50 times less."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "label", "state", "component", "code"], name="error_total_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.component}:{self.code}: {self.n}"


class ErrorCount(_SaidSomewhere):
    """Folded sums; the truth is this plus what EndDelta still holds."""

    class Meta:
        constraints = [
            # pages ask for some last hours
            models.UniqueConstraint(
                fields=["hour", "site_id", "domain", "label", "state", "component", "code"],
                name="error_count_once",
            )
        ]
        # where one error happens: the sites of an error, and the site that the summary names
        indexes = [
            models.Index(
                fields=["component", "code", "hour"],
                include=["site_id", "n"],
                name="error_count_code",
            )
        ]

    def __str__(self) -> str:
        return f"{self.component}:{self.code}: {self.n}"


class WorkflowCount(_Somewhere):
    """Failed jobs by workflow, site and error. Kept for 31 days."""

    label = models.CharField(max_length=20)
    processing_type = models.CharField(max_length=64)
    transformation = models.CharField(max_length=255)
    component = models.CharField(max_length=16)
    code = models.IntegerField()
    n = models.BigIntegerField()
    cpu_s = models.BigIntegerField("CPU (s)")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "hour",
                    "site_id",
                    "label",
                    "processing_type",
                    "transformation",
                    "component",
                    "code",
                ],
                name="workflow_count_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.transformation} {self.component}:{self.code}: {self.n}"


class NodeCount(_Somewhere):
    """Ended jobs by the node that they ran on, and with the node '' by site. Kept for 31 days."""

    node = models.CharField(max_length=128)
    finished = models.BigIntegerField()
    failed = models.BigIntegerField()
    cancelled = models.BigIntegerField()
    lost_s = models.BigIntegerField("CPU of failed jobs (s)")
    latest = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hour", "site_id", "node"], name="node_count_once")
        ]
        indexes = [
            # the page of one node, and the nodes of one site
            models.Index(fields=["site_id", "node", "hour"], name="node_count_node"),
            # the list of nodes: those that failed most
            models.Index(
                fields=["hour"],
                include=["site_id", "node", "failed"],
                condition=~Q(failed=0) & ~Q(node=""),
                name="node_count_failed",
            ),
            # the averages that nodes are compared with
            models.Index(
                fields=["hour"],
                include=["site_id", "finished", "failed"],
                condition=Q(node=""),
                name="node_count_site",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node}: {self.finished} finished, {self.failed} failed"


class EndDelta(_SaidSomewhere):
    """Append-only log of ends, written by a trigger (jobs/sql/ends.sql) in their transaction.

    The sweep `jobs.fold_counts` folds the rows away. The database keeps no index of `id`, as with
    CountDelta.
    """

    node = models.CharField(max_length=128)
    processing_type = models.CharField(max_length=64)
    transformation = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.component}:{self.code}: {self.n:+d}"
