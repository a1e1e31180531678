"""From a submission's names to the rows they mean; every wrong name is reported with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models

from brokerage.models import VO, Cloud, Release, Site
from datasets.models import StorageElement
from jobs.labels import is_analysis
from jobs.submit import FileSpec, JobSpec
from pandasite.base.errors import BadInput, NotAllowed, field_error

NAMED: dict[str, type[models.Model]] = {
    "vo": VO,
    "cloud": Cloud,
    "site": Site,
    "destination_se": StorageElement,
}
COLUMNS = (
    "job_name", "job_definition_id", "prod_source_label", "processing_type", "transformation",
    "job_parameters", "atlas_release", "homepackage", "cmt_config", "working_group",
    "assigned_priority", "max_attempt", "min_ram_count", "max_disk_count", "max_cpu_count",
    "min_cpu_speed", "core_count",
)  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What the names of one submission stand for, looked up once."""

    rows: dict[str, dict[str, Any]]  # field -> name -> row
    releases: frozenset[str]


def specs(jobs: Sequence[dict[str, Any]], *, user: AbstractUser) -> list[JobSpec]:
    """Checked job specifications; BadInput lists every fault with job index and field."""
    _check_rights(jobs, user)
    names = Names(
        rows={field: _rows(jobs, field, model) for field, model in NAMED.items()},
        releases=_releases(jobs),
    )
    faults = [fault for i, job in enumerate(jobs) for fault in _faults(i, job, names)]
    faults += _shared_outputs(jobs)
    if faults:
        raise BadInput(faults[0]["message"], code=faults[0]["code"], fields=faults[:1000])
    return [_spec(job, names) for job in jobs]


def _check_rights(jobs: Sequence[dict[str, Any]], user: AbstractUser) -> None:
    if user.has_perm("jobs.submit_production"):
        return
    cap = settings.PANDASITE["USER_PRIORITY_CAP"]
    for i, job in enumerate(jobs):
        if not is_analysis(job["prod_source_label"]):
            message = (
                f"jobs[{i}]: submitting {job['prod_source_label']} jobs needs a production role"
            )
            raise NotAllowed(message, code="label_not_allowed")
        if job["assigned_priority"] > cap:
            field = f"jobs[{i}].assigned_priority"
            message = f"{field} may be at most {cap} without a production role"
            error = field_error(field, message, code="priority_cap", max=cap)
            raise NotAllowed(message, code="priority_cap", fields=[error])


def _rows(jobs: Sequence[dict[str, Any]], field: str, model: type[models.Model]) -> dict[str, Any]:
    wanted = {job[field] for job in jobs if job.get(field)}
    rows = model._default_manager.filter(name__in=wanted)
    if model is Site:
        rows = rows.select_related("cloud")
    return {row.name: row for row in rows}  # type: ignore[attr-defined]


def _releases(jobs: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Those of the named releases that the catalogue of releases knows."""
    wanted = {job["atlas_release"] for job in jobs if job["atlas_release"]}
    if not wanted:
        return frozenset()
    return frozenset(release.atlas_release for release in Release.objects.all()) & wanted


def _faults(index: int, job: dict[str, Any], names: Names) -> Iterable[dict[str, Any]]:
    place = f"jobs[{index}]"
    for field, model in NAMED.items():
        if job.get(field) and job[field] not in names.rows[field]:
            names_known = model._default_manager.values_list("name", flat=True)
            yield _unknown(f"{place}.{field}", job[field], names_known)
    release = job["atlas_release"]
    if release and release not in names.releases:
        known = (r.atlas_release for r in Release.objects.all())
        yield _unknown(f"{place}.atlas_release", release, known)
    site, cloud = names.rows["site"].get(job.get("site") or ""), job.get("cloud")
    if site is not None and cloud and site.cloud.name != cloud:
        message = f"{place}.site is in cloud {site.cloud.name}, not in {cloud}"
        yield field_error(f"{place}.site", message, code="wrong_cloud")
    yield from _file_faults(place, job)


def _unknown(field: str, name: str, known: Iterable[str]) -> dict[str, Any]:
    close = difflib.get_close_matches(name, list(known), n=3)
    hint = f"; nearest: {', '.join(close)}" if close else ""
    return field_error(
        field, f"{field} {name} is not known{hint}", code="unknown_name", close=close
    )


def _file_faults(place: str, job: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """A name is given once, whatever its scope: the files of a job meet in one folder."""
    seen: dict[str, str] = {}
    for kind in ("input_files", "output_files"):
        for i, f in enumerate(job.get(kind, [])):
            field = f"{place}.{kind}[{i}].lfn"
            if f["lfn"] in seen:
                yield _duplicate(field, f["lfn"], seen[f["lfn"]])
            seen.setdefault(f["lfn"], field)


def _shared_outputs(jobs: Sequence[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Two jobs cannot make the same file: the second could not be registered."""
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
        fields={name: job[name] for name in COLUMNS if name in job},
        vo=names.rows["vo"][job["vo"]],
        cloud=names.rows["cloud"].get(job.get("cloud") or ""),
        site=names.rows["site"].get(job.get("site") or ""),
        destination_se=names.rows["destination_se"].get(job.get("destination_se") or ""),
        task=job["task"],
        input_files=[FileSpec(**f) for f in job.get("input_files", [])],
        output_files=[FileSpec(**f) for f in job.get("output_files", [])],
    )
