"""From a submission's names to the rows they mean; every wrong name is reported with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser

from jobs.api.names import Names
from jobs.labels import LABELS, is_analysis
from jobs.report import LOG_SCOPE
from jobs.rows import SAID, FileSpec, JobSpec
from jobs.sandboxes import services as sandboxes
from jobs.sandboxes.names import named_in
from jobs.trf.programs import MAINS as PROGRAMS
from pandasite.base.clock import database_now
from pandasite.base.errors import BadInput, NotAllowed, field_error
from pandasite.identity.roles import groups_of

MAX_FAULTS = 1000
_PLACE = re.compile(r"jobs\[\d+\]\.")


def specs(jobs: Sequence[dict[str, Any]], *, user: AbstractUser) -> list[JobSpec]:
    """Checked job specifications; BadInput lists every fault with job index and field."""
    check_rights(jobs, user)
    names = Names.of(jobs)
    faults = list(islice((*_all_faults(jobs, names), *_foreign(jobs, user)), MAX_FAULTS))
    if faults:
        raise BadInput(faults[0]["message"], code=faults[0]["code"], fields=faults)
    return [_spec(job, names) for job in jobs]


def sifted(
    jobs: Sequence[dict[str, Any]], *, names: Names
) -> tuple[dict[int, JobSpec], dict[int, str]]:
    """By their index: the jobs that are right, and what is wrong with each of the others.

    For jobs that do not stand and fall together; rights are the caller's matter.
    """
    faults: dict[int, str] = {}
    for index, job in enumerate(jobs):
        told = [fault["message"] for fault in _faults(index, job, names)]
        if told:
            faults[index] = _alone("; ".join(told))
    good = [index for index in range(len(jobs)) if index not in faults]
    for fault in _shared_outputs([jobs[index] for index in good]):
        index = good[index_of(fault["field"])]
        faults.setdefault(index, _alone(fault["message"]))
    return {i: _spec(jobs[i], names) for i in good if i not in faults}, faults


def index_of(place: str) -> int:
    """Which job of a submission a place such as `jobs[3].site` is in."""
    return int(place.partition("[")[2].partition("]")[0])


def _alone(message: str) -> str:
    """What is said of `jobs[3].site`, said of the `site` of a job alone."""
    return _PLACE.sub("", message)


def _foreign(jobs: Sequence[dict[str, Any]], user: AbstractUser) -> Iterable[dict[str, Any]]:
    """Of the transformations that the server brings: sandboxes that this user does not have."""
    named = {
        i: name
        for i, job in enumerate(jobs)
        if job["transformation"] in PROGRAMS and (name := named_in(job["job_parameters"]))
    }
    missing = sandboxes.not_of(user, named.values())
    if named:  # it stays while the jobs wait
        sandboxes.touch(set(named.values()) - missing, now=database_now())
    for i, name in named.items():
        if name in missing:
            field = f"jobs[{i}].job_parameters"
            message = f"{field} names the sandbox {name}, which you do not have here"
            yield field_error(field, message, code="unknown_sandbox")


def _all_faults(jobs: Sequence[dict[str, Any]], names: Names) -> Iterable[dict[str, Any]]:
    for i, job in enumerate(jobs):
        yield from _faults(i, job, names)
    yield from _shared_outputs(jobs)


def check_rights(
    wanted: Sequence[Mapping[str, Any]],
    user: AbstractUser,
    *,
    place: str = "jobs[{}].",
    priority: str = "assigned_priority",
) -> None:
    """Who has the production role may do all of this; NotAllowed names what others may not."""
    if user.has_perm("jobs.submit_production"):
        return
    groups = groups_of(user)
    for i, one in enumerate(wanted):
        here = place.format(i)
        _check_label(f"{here}prod_source_label", one["prod_source_label"])
        check_priority(f"{here}{priority}", one[priority])
        _check_group(f"{here}working_group", one["working_group"], groups)


def _check_label(field: str, label: str) -> None:
    if not is_analysis(label):
        values = [label for label in LABELS if is_analysis(label)]
        message = f"{field} {label} needs a production role"
        raise _forbidden(field, message, "label_not_allowed", values=values)


def check_priority(field: str, priority: int) -> None:
    cap = settings.PANDASITE["USER_PRIORITY_CAP"]
    if priority > cap:
        message = f"{field} may be at most {cap} without a production role"
        raise _forbidden(field, message, "priority_cap", max=cap)


def _check_group(field: str, group: str, groups: Sequence[str]) -> None:
    """Members of a job's working group are told of it, so a stranger cannot choose them."""
    if group and group not in groups:
        message = f"{field} {group} is none of your groups ({', '.join(groups) or 'you have none'})"
        raise _forbidden(field, message, "group_not_allowed", values=list(groups))


def _forbidden(field: str, message: str, code: str, **limit: Any) -> NotAllowed:
    error = field_error(field, message, code=code, **limit)
    return NotAllowed(message, code=code, fields=[error])


def _faults(index: int, job: dict[str, Any], names: Names) -> Iterable[dict[str, Any]]:
    place = f"jobs[{index}]"
    for column, its_names in names.known.items():
        if job.get(column) and job[column] not in its_names:
            yield _unknown(place, column, job[column], names)
    site, cloud = names.rows["site"].get(job.get("site") or ""), job.get("cloud")
    if site is not None and cloud and site.cloud.name != cloud:
        message = f"{place}.site is in cloud {site.cloud.name}, not in {cloud}"
        yield field_error(f"{place}.site", message, code="wrong_cloud")
    outputs = job.get("output_files", ())
    files = [*job.get("input_files", ()), *outputs]
    # Places are written out only where something is wrong: a submission may have a million files.
    if len({f["lfn"] for f in files}) < len(files):
        yield from _file_faults(place, job)
    if any(f["scope"] == LOG_SCOPE for f in outputs):
        yield from _reserved(place, job)


def _unknown(place: str, column: str, name: str, names: Names) -> dict[str, Any]:
    close = names.nearest.to(column, name)
    hint = f"; nearest: {', '.join(close)}" if close else ""
    message = f"{place}.{column} {name} is not known{hint}"
    return field_error(f"{place}.{column}", message, code="unknown_name", close=close)


def _file_faults(place: str, job: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """A name is given once, whatever its scope: the files of a job meet in one folder."""
    seen: dict[str, str] = {}
    for kind in ("input_files", "output_files"):
        for i, f in enumerate(job.get(kind, [])):
            field = f"{place}.{kind}[{i}].lfn"
            if f["lfn"] in seen:
                yield _duplicate(field, f["lfn"], seen[f["lfn"]])
            seen.setdefault(f["lfn"], field)


def _reserved(place: str, job: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Logs have a scope of their own, or a job could take the name of another one's log."""
    for i, f in enumerate(job.get("output_files", [])):
        if f["scope"] == LOG_SCOPE:
            field = f"{place}.output_files[{i}].scope"
            yield field_error(field, f"{field} {LOG_SCOPE} is for logs", code="reserved_scope")


def _shared_outputs(jobs: Sequence[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Two jobs cannot make the same file: the second could not be registered."""
    named = [(f["scope"], f["lfn"]) for job in jobs for f in job.get("output_files", ())]
    if len(set(named)) == len(named):
        return
    seen: dict[tuple[str, str], str] = {}
    for i, job in enumerate(jobs):
        for k, f in enumerate(job.get("output_files", [])):
            field, name = f"jobs[{i}].output_files[{k}].lfn", (f["scope"], f["lfn"])
            if not seen.setdefault(name, field).startswith(f"jobs[{i}]."):
                yield _duplicate(field, f["lfn"], seen[name])


def _duplicate(field: str, lfn: str, first: str) -> dict[str, Any]:
    message = f"{field} {lfn} is named already by {first}"
    return field_error(field, message, code="duplicate_lfn")


def _spec(job: dict[str, Any], names: Names) -> JobSpec:
    return JobSpec(
        fields={name: job[name] for name in SAID if name in job},
        vo=names.rows["vo"][job["vo"]],
        cloud=names.rows["cloud"].get(job.get("cloud") or ""),
        site=names.rows["site"].get(job.get("site") or ""),
        destination_se=names.rows["destination_se"].get(job.get("destination_se") or ""),
        task=job["task"],
        input_files=[FileSpec(**f) for f in job.get("input_files", [])],
        output_files=[FileSpec(**f) for f in job.get("output_files", [])],
    )
