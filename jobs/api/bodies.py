"""What request bodies may hold: each field with its range."""

from __future__ import annotations

from typing import Any

from jobs.dispatch import N_JOBS_MAX
from jobs.labels import LABELS
from jobs.states import REPORTED
from pandasite.base import serializers as strict

INT32 = 2**31 - 1
INT64 = 2**63 - 1
NODE_MAX = 128
TAIL_MAX = 65_536
REPORTS_MAX = 500  # of a call
REPORTS_BODY_MAX = 2**24  # bytes
BODY_MAX = 2**20
SAYABLE = tuple(REPORTED)  # the states that a pilot may report
DATASET_MAX = 240
FILES_MAX = 1000  # of a job, inputs and outputs


class ReleaseBody(strict.StrictSerializer):
    """A release that a node has: AtlasRelease and cmtConfig."""

    release = strict.StrictCharField(max_length=64)
    cmt_config = strict.StrictCharField(max_length=64, allow_blank=True, default="")


class ClaimBody(strict.StrictSerializer):
    """A pilot's question for a job."""

    site = strict.StrictCharField(max_length=64)
    node = strict.StrictCharField(max_length=NODE_MAX)
    pilot_id = strict.StrictCharField(max_length=64)
    factory = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    cpu_speed_mhz = strict.StrictIntegerField(min_value=0, max_value=1_000_000)
    memory_mb = strict.StrictIntegerField(min_value=0, max_value=INT32)
    free_disk_mb = strict.StrictIntegerField(min_value=0, max_value=INT32)
    core_count = strict.StrictIntegerField(min_value=1, max_value=100_000, default=1)
    releases = ReleaseBody(many=True, max_length=2000)
    labels = strict.StrictListField(
        child=strict.ChoiceField(choices=LABELS, unknown_code="unknown_label"),
        min_length=1,
        max_length=len(LABELS),
    )
    n_jobs = strict.StrictIntegerField(min_value=1, max_value=N_JOBS_MAX, required=False)
    # The moment of this try: told anew with each repeat, so no part of what the key stands for.
    sent_at = strict.AwareDateTimeField(required=False)


class ReportedFileBody(strict.StrictSerializer):
    """A file that the pilot has put at the site's storage."""

    lfn = strict.LfnField()
    guid = strict.GuidField()
    size = strict.StrictIntegerField(min_value=0, max_value=INT64)
    adler32 = strict.Adler32Field()
    events = strict.StrictIntegerField(
        min_value=0, max_value=INT64, required=False, allow_null=True
    )


class ReportBody(strict.StrictSerializer):
    """A heartbeat or final report. Clock times are the pilot's claims and must have a zone."""

    panda_id = strict.StrictIntegerField(min_value=1, max_value=INT64)
    attempt_nr = strict.StrictIntegerField(min_value=1, max_value=INT32)
    lease_token = strict.StrictCharField(max_length=128)
    seq = strict.StrictIntegerField(min_value=1, max_value=INT32)
    state = strict.ChoiceField(choices=SAYABLE, unknown_code="unknown_state")
    sent_at = strict.AwareDateTimeField(required=False)
    start_time = strict.AwareDateTimeField(required=False)
    end_time = strict.AwareDateTimeField(required=False)
    cpu_consumption_time = strict.StrictIntegerField(min_value=0, max_value=INT32, required=False)
    max_rss_mb = strict.StrictIntegerField(min_value=0, max_value=INT32, required=False)
    stdout_tail = strict.StrictCharField(
        max_length=TAIL_MAX, multiline=True, allow_blank=True, required=False
    )
    exit_code = strict.StrictIntegerField(min_value=-1000, max_value=65_535, required=False)
    pilot_error_code = strict.StrictIntegerField(min_value=0, max_value=INT32, required=False)
    # Kept cut to what the table holds, and read at any length: an error message is worth more than
    # its length, and the body has a bound.
    pilot_error_diag = strict.StrictCharField(
        max_length=BODY_MAX, multiline=True, allow_blank=True, required=False
    )
    exe_error_code = strict.StrictIntegerField(min_value=0, max_value=INT32, required=False)
    exe_error_diag = strict.StrictCharField(
        max_length=BODY_MAX, multiline=True, allow_blank=True, required=False
    )
    output_files = ReportedFileBody(many=True, max_length=1000, required=False)
    log_file = ReportedFileBody(required=False)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """start > end is a clock or a bug, and either way not a fact worth keeping.

        So is a file that is reported twice.
        """
        start, end = attrs.get("start_time"), attrs.get("end_time")
        if start and end and start > end:  # type: ignore[operator]
            strict.refuse("out_of_order", "must not be after end_time", field="start_time")
        if files := attrs.get("output_files"):
            names = [f["lfn"] for f in files]  # type: ignore[attr-defined]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                words = f"must not name {twice[0]} twice"
                strict.refuse("duplicate_lfn", words, field="output_files")
        return attrs


class ReportsBody(strict.StrictSerializer):
    """Reports of one call; each is judged on its own."""

    reports = ReportBody(many=True, max_length=REPORTS_MAX, allow_empty=False)


class FileBody(strict.StrictSerializer):
    """A file that a job names."""

    lfn = strict.LfnField()
    scope = strict.ScopeField()
    # a block of it gets a longer name
    dataset = strict.DatasetNameField(max_length=DATASET_MAX, allow_blank=True, default="")


class JobBody(strict.StrictSerializer):
    """One job of a submission. Memory and disk in MB, times in s, CPU speed in MHz."""

    job_name = strict.StrictCharField(max_length=255)
    job_definition_id = strict.StrictIntegerField(
        min_value=1, max_value=INT64, required=False, allow_null=True
    )
    prod_source_label = strict.ChoiceField(choices=LABELS, unknown_code="unknown_label")
    processing_type = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    transformation = strict.StrictCharField(max_length=255)
    job_parameters = strict.StrictCharField(
        max_length=65_536, multiline=True, allow_blank=True, default=""
    )
    atlas_release = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    homepackage = strict.StrictCharField(max_length=80, allow_blank=True, default="")
    cmt_config = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    vo = strict.StrictCharField(max_length=32)
    working_group = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    task = strict.StrictCharField(max_length=255, allow_blank=True, default="")
    cloud = strict.StrictCharField(max_length=16, required=False, allow_null=True)
    site = strict.StrictCharField(max_length=64, required=False, allow_null=True)
    destination_se = strict.StrictCharField(max_length=64, required=False, allow_null=True)
    assigned_priority = strict.StrictIntegerField(
        min_value=-100_000, max_value=1_000_000, default=100
    )
    max_attempt = strict.StrictIntegerField(min_value=1, max_value=100, default=3)
    min_ram_count = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)
    max_disk_count = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)
    max_cpu_count = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)
    min_cpu_speed = strict.StrictIntegerField(min_value=0, max_value=1_000_000, default=0)
    core_count = strict.StrictIntegerField(min_value=1, max_value=100_000, default=1)
    input_files = FileBody(many=True, max_length=FILES_MAX, required=False, allow_empty=True)
    output_files = FileBody(many=True, max_length=FILES_MAX, required=False, allow_empty=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Inputs and outputs are counted together."""
        files = len(attrs.get("input_files", ())) + len(attrs.get("output_files", ()))
        if files > FILES_MAX:
            message = f"must have at most {FILES_MAX} files in all, not {files}"
            strict.refuse("too_many", message, max=FILES_MAX)
        return attrs


class SubmitBody(strict.StrictSerializer):
    """Up to 1,000 jobs: all or none."""

    jobs = JobBody(many=True, allow_empty=False, max_length=1000)


class KillBody(strict.StrictSerializer):
    """Which jobs to kill, and why."""

    panda_ids = strict.StrictListField(
        child=strict.StrictIntegerField(min_value=1, max_value=INT64),
        min_length=1,
        max_length=1000,
    )
    reason = strict.StrictCharField(max_length=255)
