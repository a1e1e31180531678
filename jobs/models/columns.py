"""The columns of a job, which the live table and the archive share."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from brokerage.models import VO, Cloud, Site
from datasets.models import StorageElement
from jobs.models.books import BrokerageDecision
from jobs.models.pilot import Pilot
from jobs.models.task import Task
from jobs.states import FINAL, JobState

# The parts of the system that can name an error; each has a code and a diagnostic text.
ERROR_COMPONENTS = (
    "brokerage",
    "ddm",
    "exe",
    "job_dispatcher",
    "pilot",
    "sup",
    "task_buffer",
    "trans",
)


class JobColumns(models.Model):
    """One job in PanDA's vocabulary. Memory and disk in MB, times in s, CPU speed in MHz."""

    panda_id = models.BigAutoField("PandaID", primary_key=True)
    job_definition_id = models.BigIntegerField("jobDefinitionID", null=True, blank=True)
    task = models.ForeignKey(
        Task, null=True, blank=True, on_delete=models.PROTECT, related_name="jobs"
    )
    job_name = models.CharField("jobName", max_length=255)
    prod_source_label = models.CharField("prodSourceLabel", max_length=20)
    processing_type = models.CharField("processingType", max_length=64, blank=True)
    transformation = models.CharField(max_length=255)
    job_parameters = models.TextField("jobParameters", blank=True)
    atlas_release = models.CharField("AtlasRelease", max_length=64, blank=True)
    homepackage = models.CharField(max_length=80, blank=True)
    cmt_config = models.CharField("cmtConfig", max_length=64, blank=True)
    vo = models.ForeignKey(VO, on_delete=models.PROTECT, verbose_name="VO", db_index=False)
    working_group = models.CharField("workingGroup", max_length=64, blank=True)
    # Lists go by prodUserID; that a user with jobs is not deleted may take a scan.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="jobs", db_index=False
    )
    prod_user_id = models.CharField("prodUserID", max_length=250)

    # Nobody looks for jobs by these alone, and each index is written at each change of state.
    cloud = models.ForeignKey(
        Cloud, null=True, blank=True, on_delete=models.PROTECT, db_index=False
    )
    computing_site = models.ForeignKey(
        Site, null=True, blank=True, on_delete=models.PROTECT, db_index=False
    )
    site_fixed = models.BooleanField(default=False, help_text="the submitter named the site")
    cloud_fixed = models.BooleanField(default=False, help_text="the submitter named the cloud")
    destination_se = models.ForeignKey(
        StorageElement,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    storage = models.ForeignKey(
        StorageElement,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,  # nobody looks for jobs by it
        db_constraint=False,  # it would be checked, and its row locked, with each claim
        help_text="what the pilot was told to read from and write to",
    )
    # Decisions and pilots go when they are old (jobs/closing.py), and leave their numbers here.
    decision = models.ForeignKey(
        BrokerageDecision,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="jobs",
        db_index=False,
        db_constraint=False,
    )
    prod_d_block = models.CharField("prodDBlock", max_length=255, blank=True)
    dispatch_d_block = models.CharField("dispatchDBlock", max_length=255, blank=True)
    destination_d_block = models.CharField("destinationDBlock", max_length=255, blank=True)

    assigned_priority = models.IntegerField("assignedPriority", default=0)
    current_priority = models.IntegerField("currentPriority", default=0)
    attempt_nr = models.IntegerField("attemptNr", default=0)
    max_attempt = models.IntegerField("maxAttempt", default=3)
    rebroker_count = models.IntegerField(default=0)
    considered_at = models.DateTimeField(
        null=True, blank=True, help_text="when brokerage last looked at it and found no site"
    )
    min_ram_count = models.IntegerField("minRamCount (MB)", default=0)
    max_disk_count = models.IntegerField("maxDiskCount (MB)", default=0)
    max_cpu_count = models.IntegerField("maxCpuCount (s)", default=0)
    min_cpu_speed = models.IntegerField("minCpuSpeed (MHz)", default=0)
    core_count = models.IntegerField("coreCount", default=1)

    state = models.CharField(max_length=12, choices=[(s.value, s.value) for s in JobState])
    event_seq = models.IntegerField(default=0, help_text="number of its last event")
    creation_time = models.DateTimeField("creationTime")
    state_change_time = models.DateTimeField("stateChangeTime")
    queued_since = models.DateTimeField(help_text="its birth, or when its last pilot was lost")
    modification_time = models.DateTimeField("modificationTime")
    start_time = models.DateTimeField("startTime", null=True, blank=True)
    end_time = models.DateTimeField("endTime", null=True, blank=True)

    pilot = models.ForeignKey(
        Pilot,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    node = models.CharField("modificationHost", max_length=128, blank=True)
    lease_sha256 = models.CharField(max_length=64, blank=True)
    # While a pilot holds the job, these, modification_time and what was measured are as of the last
    # change of state: heartbeats write the pulse (models/pulse.py) instead.
    lease_until = models.DateTimeField(null=True, blank=True)
    report_seq = models.IntegerField(default=0, help_text="last report of this attempt")
    command = models.CharField("commandToPilot", max_length=16, blank=True)
    command_attempt = models.IntegerField(default=0, help_text="the attempt that it is meant for")
    command_reason = models.CharField(max_length=500, blank=True, help_text="who wants it, and why")
    verdict = models.CharField(max_length=8, blank=True, help_text="the pilot's final word")
    retry_of = models.BigIntegerField(
        null=True, blank=True, help_text="PandaID of the failed job that this one succeeds"
    )
    cpu_consumption_time = models.IntegerField("cpuConsumptionTime (s)", default=0)
    max_rss_mb = models.IntegerField(default=0)
    trans_exit_code = models.IntegerField("transExitCode", null=True, blank=True)

    brokerage_error_code = models.IntegerField("brokerageErrorCode", default=0)
    brokerage_error_diag = models.CharField("brokerageErrorDiag", max_length=500, blank=True)
    ddm_error_code = models.IntegerField("ddmErrorCode", default=0)
    ddm_error_diag = models.CharField("ddmErrorDiag", max_length=500, blank=True)
    exe_error_code = models.IntegerField("exeErrorCode", default=0)
    exe_error_diag = models.CharField("exeErrorDiag", max_length=500, blank=True)
    job_dispatcher_error_code = models.IntegerField("jobDispatcherErrorCode", default=0)
    job_dispatcher_error_diag = models.CharField(
        "jobDispatcherErrorDiag", max_length=500, blank=True
    )
    pilot_error_code = models.IntegerField("pilotErrorCode", default=0)
    pilot_error_diag = models.CharField("pilotErrorDiag", max_length=500, blank=True)
    sup_error_code = models.IntegerField("supErrorCode", default=0)
    sup_error_diag = models.CharField("supErrorDiag", max_length=500, blank=True)
    task_buffer_error_code = models.IntegerField("taskBufferErrorCode", default=0)
    task_buffer_error_diag = models.CharField("taskBufferErrorDiag", max_length=500, blank=True)
    trans_error_code = models.IntegerField("transErrorCode", default=0)
    trans_error_diag = models.CharField("transErrorDiag", max_length=500, blank=True)

    class Meta:
        abstract = True
        ordering = ["-panda_id"]

    def __str__(self) -> str:
        return f"{self.panda_id} {self.job_name}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    def errors(self) -> list[tuple[str, int, str]]:
        """The errors it carries: (component, code, diagnostic text)."""
        found = (
            (c, getattr(self, f"{c}_error_code"), getattr(self, f"{c}_error_diag"))
            for c in ERROR_COMPONENTS
        )
        return [(component, code, diag) for component, code, diag in found if code]
