"""The columns that the job list may show: title, meaning, order and cell of each.

Cells are made here and not in a template: a page has hundreds, of columns that its address chooses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.html import format_html, format_html_join

from jobs.errors import meaning
from jobs.models import AnyJob
from monitor import words
from monitor.rows import jobs_url


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column; `sort` is the key of its order ('' = none), `look` the class of its cells."""

    title: str
    help: str
    cell: Callable[[AnyJob], str]
    sort: str = ""
    look: str = ""


@dataclass(frozen=True, kw_only=True)
class Error:
    """An error of a job as pages show it."""

    name: str
    diag: str
    meaning: str


def errors_of(job: AnyJob) -> list[Error]:
    """The errors that a job carries, each with its meaning."""
    return [
        Error(name=f"{component}:{code}", diag=diag, meaning=meaning(component, code))
        for component, code, diag in job.errors()
    ]


def _link(url: str, text: object, title: str = "") -> str:
    if title:
        return format_html('<a href="{}" title="{}">{}</a>', url, title, text)
    return format_html('<a href="{}">{}</a>', url, text)


def _id(job: AnyJob) -> str:
    return _link(reverse("monitor:job", args=[job.pk]), job.pk)


def _state(job: AnyJob) -> str:
    badge = format_html('<span class="st st-{0}">{0}</span>', job.state)
    if not job.command:
        return badge
    return format_html(
        '{} <span class="hint" title="{}">to be killed</span>', badge, job.command_reason
    )


def _task(job: AnyJob) -> str:
    if job.task is None:
        return ""
    return _link(reverse("monitor:task", args=[job.task_id]), job.task_id or "", job.task.name)


def _site(job: AnyJob) -> str:
    if job.computing_site is not None:
        name = job.computing_site.name
        return _link(reverse("monitor:site", args=[name]), name)
    cloud = f"{job.cloud.name}, none yet" if job.cloud else "none yet"
    return format_html('<span class="hint">{}</span>', cloud)


def _errors(job: AnyJob) -> str:
    return format_html_join(
        "",
        '<span class="error" title="{}"><code>{}</code> {}</span>',
        ((error.diag, error.name, error.meaning) for error in errors_of(job)),
    )


def _cut(column: str) -> Callable[[AnyJob], str]:
    """A text that may be long: the style cuts it, the title has all of it."""
    return lambda job: format_html(
        '<span title="{0}">{0}</span>' if getattr(job, column) else "{0}", getattr(job, column)
    )


def _plain(column: str) -> Callable[[AnyJob], str]:
    def cell(job: AnyJob) -> str:
        value = getattr(job, column)
        return "" if value is None else str(value)

    return cell


def _time(column: str) -> Callable[[AnyJob], str]:
    def cell(job: AnyJob) -> str:
        time = getattr(job, column)
        if time is None:
            return ""
        iso = time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        short = iso[5:16].replace("T", " ")
        return format_html('<time datetime="{0}" title="{0}">{1}</time>', iso, short)

    return cell


def _dataset(column: str) -> Callable[[AnyJob], str]:
    def cell(job: AnyJob) -> str:
        name = getattr(job, column)
        return _link(reverse("monitor:dataset", args=[name]), name, name) if name else ""

    return cell


def _span(seconds: float | None) -> str:
    return words.span(seconds) if seconds else ""


def _between(since: dt.datetime | None, until: dt.datetime | None) -> str:
    return _span((until - since).total_seconds()) if since and until else ""


def _job_link(job: AnyJob) -> str:
    if job.retry_of is None:
        return ""
    return _link(reverse("monitor:job", args=[job.retry_of]), job.retry_of)


def _node(job: AnyJob) -> str:
    return _link(jobs_url(node=job.node), job.node) if job.node else ""


COLUMNS: dict[str, Column] = {
    "panda_id": Column(title="PandaID", help="number of the job", cell=_id, sort="panda_id",
        look="n"),
    "state": Column(title="State", help="what the job is doing", cell=_state),
    "name": Column(title="Job", help="jobName", cell=_cut("job_name"), look="cut"),
    "task": Column(title="Task", help="taskID of its task", cell=_task),
    "label": Column(title="Label", help="prodSourceLabel", cell=_plain("prod_source_label")),
    "user": Column(title="User", help="prodUserID", cell=_cut("prod_user_id"), look="cut short"),
    "site": Column(title="Site", help="where brokerage has sent it", cell=_site),
    "priority": Column(title="Prio", help="currentPriority: higher ones go first",
        cell=_plain("current_priority"), sort="priority", look="n"),
    "attempt": Column(title="Attempt", help="attempt / most attempts",
        cell=lambda job: f"{job.attempt_nr} / {job.max_attempt}", sort="attempt", look="n"),
    "created": Column(title="Created", help="when it was submitted",
        cell=_time("creation_time"), sort="created"),
    "changed": Column(title="Changed", help="its last change of state",
        cell=_time("state_change_time"), sort="changed"),
    "cpu": Column(title="CPU", help="CPU time that its pilot has told",
        cell=lambda job: _span(job.cpu_consumption_time), sort="cpu", look="n"),
    "error": Column(title="Error", help="component:code and its meaning", cell=_errors,
        look="wide"),
    "cloud": Column(title="Cloud", help="its cloud",
        cell=lambda job: job.cloud.name if job.cloud else ""),
    "vo": Column(title="VO", help="virtual organisation", cell=lambda job: job.vo.name),
    "group": Column(title="Group", help="workingGroup", cell=_plain("working_group")),
    "node": Column(title="Node", help="worker node of the last attempt", cell=_node),
    "processing_type": Column(title="Type", help="processingType",
        cell=_plain("processing_type")),
    "transformation": Column(title="Transformation", help="the program that it runs",
        cell=_cut("transformation"), look="cut short"),
    "release": Column(title="Release", help="AtlasRelease", cell=_plain("atlas_release")),
    "platform": Column(title="Platform", help="cmtConfig", cell=_plain("cmt_config")),
    "package": Column(title="Package", help="homepackage", cell=_cut("homepackage"),
        look="cut short"),
    "cores": Column(title="Cores", help="coreCount", cell=_plain("core_count"), look="n"),
    "memory": Column(title="Memory", help="what it asks for, MB", cell=_plain("min_ram_count"),
        look="n"),
    "used_memory": Column(title="Max RSS", help="the most memory that its pilot has told, MB",
        cell=lambda job: str(job.max_rss_mb or ""), look="n"),
    "started": Column(title="Started", help="when the payload began",
        cell=_time("start_time")),
    "ended": Column(title="Ended", help="when it became final", cell=_time("end_time"),
        sort="ended"),
    "modified": Column(title="Last word", help="last change, command or heartbeat",
        cell=_time("modification_time")),
    "waited": Column(title="Waited", help="from its submission to the start of the payload",
        cell=lambda job: _between(job.creation_time, job.start_time), look="n"),
    "wall": Column(title="Wall", help="from the start of the payload to the end of the job",
        cell=lambda job: _between(job.start_time, job.end_time), look="n"),
    "exit_code": Column(title="Exit", help="exit code of the transformation",
        cell=_plain("trans_exit_code"), look="n"),
    "destination": Column(title="Destination", help="storage element that its output goes to",
        cell=lambda job: job.destination_se.name if job.destination_se else ""),
    "input": Column(title="Input dataset", help="prodDBlock", cell=_dataset("prod_d_block"),
        look="cut"),
    "output": Column(title="Output dataset", help="destinationDBlock",
        cell=_dataset("destination_d_block"), look="cut"),
    "definition": Column(title="Definition", help="jobDefinitionID",
        cell=_plain("job_definition_id"), look="n"),
    "retry_of": Column(title="Retry of", help="the failed job that it succeeds", cell=_job_link,
        look="n"),
}  # fmt: skip
DEFAULT_COLUMNS = (
    "panda_id", "state", "name", "task", "label", "user", "site", "priority", "attempt", "created",
    "changed", "cpu", "error",
)  # fmt: skip
