"""What a task request may say: each field with its range. REST and prodDB share it."""

from __future__ import annotations

import re
from typing import Any

from jobs.labels import LABELS
from jobs.tasks_engine import template
from pandasite.base import serializers as strict

INT32 = 2**31 - 1
INT64 = 2**63 - 1
DATASET_MAX = 240  # a block of it gets a longer name
INPUTS_MAX = 20
OUTPUTS_MAX = 20
FILES_PER_JOB_MAX = 500
SCOUTS_MAX = 100
EVENTS_MAX = 10**12
PARAMETERS_MAX = 60_000
EXPRESSIONS_MAX = 20
LFNS_MAX = 10_000
_COSTLY = re.compile(r"\{|\(\?|\\[1-9]")
_FILLED = dict.fromkeys(template.IN_NAMES, "0" * 12)


class PatternField(strict.LfnField):
    """A file name with placeholders, of which `${SN}` keeps the names of pieces apart."""

    def to_internal_value(self, data: Any) -> str:
        """The pattern, when what it makes is a name."""
        text = strict.StrictCharField.to_internal_value(self, data)
        if wrong := template.unknown(text, known=template.IN_NAMES, counts={}):
            words = f"has unknown placeholders {', '.join(wrong)}"
            strict.refuse("unknown_placeholder", words, known=sorted(template.IN_NAMES))
        if not any(f"${{{name}}}" in text for name in template.SERIALS):
            words = "must have ${SN}, ${SN6} or ${N}, which keep the names of jobs apart"
            strict.refuse("no_serial", words)
        super().to_internal_value(template.fill(text, _FILLED))
        return text


class LibraryField(strict.LfnField):
    """A file name that has the number of its task, and no number of a piece: there is one."""

    def to_internal_value(self, data: Any) -> str:
        """The pattern, when what it makes is a name."""
        text = strict.StrictCharField.to_internal_value(self, data)
        if "${TASKID}" not in text or template.unknown(text, known={"TASKID": ""}, counts={}):
            strict.refuse("no_task_id", "must have ${TASKID}, and no other placeholder")
        super().to_internal_value(template.fill(text, _FILLED))
        return text


class ExpressionField(strict.StrictCharField):
    """A regular expression of a kind whose time is bounded by its length."""

    def to_internal_value(self, data: Any) -> str:
        """The expression; PostgreSQL tells whether it is one."""
        text: str = super().to_internal_value(data)
        if found := _COSTLY.search(text):
            words = (
                f"must not have {found[0]}: neither repetition by number, nor references, nor (?"
            )
            strict.refuse("costly_expression", words)
        return text


class SelectBody(strict.StrictSerializer):
    """Which files of a dataset are read: by name, without the first ones, at most so many."""

    include = strict.StrictListField(
        child=ExpressionField(max_length=250), max_length=EXPRESSIONS_MAX, default=list
    )
    exclude = strict.StrictListField(
        child=ExpressionField(max_length=250), max_length=EXPRESSIONS_MAX, default=list
    )
    lfns = strict.StrictListField(child=strict.LfnField(), max_length=LFNS_MAX, default=list)
    skip = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)
    files = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)


class OutputBody(strict.StrictSerializer):
    """An output of each job: its dataset, and how its files are called."""

    dataset = strict.DatasetNameField(max_length=DATASET_MAX)
    scope = strict.ScopeField()
    lfn = PatternField(max_length=200)


class SecondaryBody(strict.StrictSerializer):
    """Files that each job reads besides; they are used again and again, in turn."""

    dataset = strict.DatasetNameField(max_length=DATASET_MAX)
    files_per_job = strict.StrictIntegerField(min_value=1, max_value=FILES_PER_JOB_MAX, default=1)
    select = SelectBody(allow_null=True, default=None)


class BuildBody(strict.StrictSerializer):
    """One job before all others; they read what it makes, `${LIB}`."""

    transformation = strict.StrictCharField(max_length=255)
    job_parameters = strict.StrictCharField(
        max_length=PARAMETERS_MAX, multiline=True, allow_blank=True, default=""
    )
    dataset = strict.DatasetNameField(max_length=DATASET_MAX)
    scope = strict.ScopeField()
    lfn = LibraryField(max_length=200)


class MergeBody(strict.StrictSerializer):
    """How the first output of the jobs is merged at the Tier-1."""

    transformation = strict.StrictCharField(max_length=255)
    job_parameters = strict.StrictCharField(
        max_length=PARAMETERS_MAX, multiline=True, allow_blank=True, default=""
    )
    dataset = strict.DatasetNameField(max_length=DATASET_MAX)
    scope = strict.ScopeField()
    lfn = PatternField(max_length=200)
    files_per_job = strict.StrictIntegerField(min_value=0, max_value=FILES_PER_JOB_MAX, default=0)
    gb_per_job = strict.StrictFloatField(min_value=0, max_value=100_000, default=0)


class TaskBody(strict.StrictSerializer):
    """A task. Memory and disk in MB, times in s, sizes in GB (10^9 bytes)."""

    name = strict.StrictCharField(max_length=255)
    vo = strict.StrictCharField(max_length=32)
    working_group = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    processing_type = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    prod_source_label = strict.ChoiceField(
        choices=LABELS, unknown_code="unknown_label", default="user"
    )
    priority = strict.StrictIntegerField(min_value=-100_000, max_value=1_000_000, default=100)
    campaign = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    request_id = strict.StrictIntegerField(
        min_value=1, max_value=INT64, allow_null=True, default=None
    )
    parent = strict.StrictCharField(  # type: ignore[assignment]  # DRF keeps fields apart
        max_length=255, allow_blank=True, default=""
    )
    tag = strict.StrictCharField(max_length=64, allow_blank=True, default="")

    transformation = strict.StrictCharField(max_length=255)
    atlas_release = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    cmt_config = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    homepackage = strict.StrictCharField(max_length=80, allow_blank=True, default="")
    job_parameters = strict.StrictCharField(
        max_length=PARAMETERS_MAX, multiline=True, allow_blank=True, default=""
    )

    inputs = strict.StrictListField(
        child=strict.DatasetNameField(max_length=DATASET_MAX), max_length=INPUTS_MAX, default=list
    )
    secondary = SecondaryBody(many=True, max_length=INPUTS_MAX, allow_empty=True, default=list)
    outputs = OutputBody(many=True, max_length=OUTPUTS_MAX, allow_empty=True, default=list)
    events = strict.StrictIntegerField(min_value=0, max_value=EVENTS_MAX, default=0)
    events_per_job = strict.StrictIntegerField(min_value=0, max_value=EVENTS_MAX, default=0)
    files_per_job = strict.StrictIntegerField(min_value=0, max_value=FILES_PER_JOB_MAX, default=0)
    gb_per_job = strict.StrictFloatField(min_value=0, max_value=100_000, default=0)
    merge = MergeBody(allow_null=True, default=None)

    memory_mb = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)
    cpu_s_per_event = strict.StrictFloatField(min_value=0, max_value=10**7, default=0)
    wall_s = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)
    disk_mb = strict.StrictIntegerField(min_value=0, max_value=INT32, default=0)
    core_count = strict.StrictIntegerField(min_value=1, max_value=100_000, default=1)
    max_attempts = strict.StrictIntegerField(min_value=1, max_value=100, default=3)
    cloud = strict.StrictCharField(max_length=16, allow_blank=True, default="")
    site = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    destination_se = strict.StrictCharField(max_length=64, allow_blank=True, default="")
    scouts = strict.StrictBooleanField(default=True)
    n_scouts = strict.StrictIntegerField(min_value=1, max_value=SCOUTS_MAX, default=5)
    select = SelectBody(allow_null=True, default=None)
    events_per_file = strict.StrictIntegerField(min_value=0, max_value=EVENTS_MAX, default=0)
    build = BuildBody(allow_null=True, default=None)


class ChangesBody(strict.StrictSerializer):
    """What of a request a retry may change."""

    job_parameters = strict.StrictCharField(
        max_length=PARAMETERS_MAX, multiline=True, allow_blank=True, required=False
    )
    atlas_release = strict.StrictCharField(max_length=64, allow_blank=True, required=False)
    cmt_config = strict.StrictCharField(max_length=64, allow_blank=True, required=False)
    memory_mb = strict.StrictIntegerField(min_value=0, max_value=INT32, required=False)
    cpu_s_per_event = strict.StrictFloatField(min_value=0, max_value=10**7, required=False)
    wall_s = strict.StrictIntegerField(min_value=0, max_value=INT32, required=False)
    disk_mb = strict.StrictIntegerField(min_value=0, max_value=INT32, required=False)
    files_per_job = strict.StrictIntegerField(
        min_value=0, max_value=FILES_PER_JOB_MAX, required=False
    )
    gb_per_job = strict.StrictFloatField(min_value=0, max_value=100_000, required=False)
    core_count = strict.StrictIntegerField(min_value=1, max_value=100_000, required=False)
    max_attempts = strict.StrictIntegerField(min_value=1, max_value=100, required=False)
    site = strict.StrictCharField(max_length=64, allow_blank=True, required=False)
    destination_se = strict.StrictCharField(max_length=64, allow_blank=True, required=False)


CHANGEABLE = tuple(ChangesBody().fields)
CUTTING = ("files_per_job", "gb_per_job")  # by these, work that has not been done is cut anew
# The number of a task: a parent may be given by it as well as by its name.
NUMBER = re.compile(r"[1-9][0-9]{0,17}")
