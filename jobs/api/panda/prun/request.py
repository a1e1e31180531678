"""From task parameters to a task request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from jobs.api.panda.prun import steps, streams, words
from jobs.api.panda.prun.fields import Fields
from jobs.api.panda.prun.streams import Streams
from jobs.trf.programs import MAINS, RUN

FILES_PER_JOB: Final = 200  # where nothing is said: as many as prun itself says at most, and ...
GB_PER_JOB: Final = 10  # ... as much
FILES_MOST: Final = 500
MB_OF_KB: Final = 1024


def request_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The request that `tasks_engine.spec` takes; BadInput names all that cannot be had here."""
    fields = Fields(given)
    found = streams.read(fields)
    fields.refuse_others()
    name = streams.dataset_name(fields.text("taskName", needed=True))
    request: dict[str, Any] = {
        "name": name,
        "vo": fields.text("vo", needed=True),
        "transformation": program(fields, "transPath", fields.text("transPath"), usual=RUN),
        "outputs": found.outputs,
        **_work(fields, found),
        **_needs(fields),
        **_place(fields, found),
        **_said(fields),
    }
    url = fields.text("sourceURL")
    values = found.values(url=url, library="buildSpec" in fields)
    request["job_parameters"] = "".join(
        words.translated(text, values, place=place, fields=fields) for place, text in found.visible
    ).strip()
    if "buildSpec" in fields:
        request["build"] = steps.build(fields, name, url=url)
    if "mergeOutput" in fields or "mergeSpec" in fields:
        steps.merge(fields, request, values)
    fields.check()
    return request


def program(fields: Fields, field: str, path: str, *, usual: str) -> str:
    """The transformation that an address ends in: it is one of ours, wherever PanDA's stood."""
    name = path.rpartition("/")[2] if path else usual
    if name not in MAINS:
        fields.refuse(field, f"must be one of {', '.join(MAINS)}, not {path[:100]}")
        return usual
    return name


def _work(fields: Fields, found: Streams) -> dict[str, Any]:
    """How the work is cut."""
    if not found.inputs:
        return _events(fields, found)
    per_file, per_job = fields.whole("nEventsPerFile"), fields.whole("nEventsPerJob")
    select = dict(found.select)
    files = fields.whole("nFiles")
    if "nEvents" in fields:
        if per_file:
            wanted = math.ceil(fields.whole("nEvents") / per_file)
            files = min(files, wanted) if files else wanted
        else:
            fields.refuse("nEvents", "needs nEventsPerFile where there is an input")
    if files:
        select["files"] = files
    return {
        "inputs": found.inputs,
        "secondary": found.secondary,
        "select": select or None,
        "files_per_job": _files_per_job(fields),
        "gb_per_job": _gb_per_job(fields),
        "events_per_job": per_job,
        "events_per_file": per_file,
    }


def _events(fields: Fields, found: Streams) -> dict[str, Any]:
    for name in ("nFiles", "nFilesPerJob", "nEventsPerFile", "nGBPerJob", "dsForIN"):
        if name in fields:
            fields.refuse(name, "needs an input dataset", code="needs_input")
    if found.secondary:
        fields.refuse("jobParameters", "have a secondary input without an input")
    per_job = fields.whole("nEventsPerJob") or 1
    return {"events": fields.whole("nEvents") or per_job, "events_per_job": per_job}


def _files_per_job(fields: Fields) -> int:
    said = fields.whole("nFilesPerJob", high=FILES_MOST)
    return said or min(fields.whole("nMaxFilesPerJob") or FILES_PER_JOB, FILES_MOST)


def _gb_per_job(fields: Fields) -> int:
    """Where a number of files is said, no other limit is meant."""
    if fields.peek("nGBPerJob") == "MAX":
        return GB_PER_JOB
    usual = 0 if "nFilesPerJob" in fields else GB_PER_JOB
    return fields.whole("nGBPerJob", high=100_000) or usual


def _needs(fields: Fields) -> dict[str, Any]:
    """What a job needs of its node; memory is said for each core."""
    cores = fields.whole("coreCount", high=100_000) or 1
    unit = fields.text("ramCountUnit")
    if unit not in ("", "MBPerCore", "MBPerCoreFixed", "MB"):
        fields.refuse("ramCountUnit", f"{unit} is not offered here")
    disk_unit = fields.text("outDiskUnit")
    if disk_unit not in ("", "kBFixed", "kB"):
        fields.refuse("outDiskUnit", f"{disk_unit} is not offered here")
    memory = fields.whole("ramCount", high=10**7)
    said = {
        "core_count": cores,
        "memory_mb": memory if unit == "MB" else memory * cores,
        "disk_mb": math.ceil(fields.whole("outDiskCount") / MB_OF_KB),
        "wall_s": fields.whole("maxWalltime", high=10**8),
        "max_attempts": fields.whole("maxAttempt", high=100),
    }
    return {name: value for name, value in said.items() if value}


def _place(fields: Fields, found: Streams) -> dict[str, Any]:
    """Where it runs, and where its outputs go."""
    site = fields.text("site")
    included = fields.list_of_names("includedSite")
    if site in ("AUTO", "ANY"):
        site = ""
    if len(included) == 1 and not site:
        site = included[0]
    elif included and included != [site]:
        fields.refuse("includedSite", "may name one site here")
    if len(found.destinations) > 1:
        fields.refuse("jobParameters", "have outputs with more than one destination")
    return {"site": site, "destination_se": next(iter(found.destinations), "")}


def _said(fields: Fields) -> dict[str, Any]:
    """What it is called, and what of it is software."""
    said: dict[str, Any] = {
        "processing_type": fields.text("processingType"),
        "prod_source_label": fields.text("prodSourceLabel") or "user",
        "working_group": fields.text("workingGroup"),
        "campaign": fields.text("campaign"),
        "atlas_release": fields.text("transUses"),
        "homepackage": fields.text("transHome"),
        "cmt_config": fields.text("architecture").partition("@")[0].partition("&")[0],
        "scouts": "skipScout" not in fields,
    }
    if "currentPriority" in fields:
        said["priority"] = fields.whole("currentPriority", high=1_000_000)
    return {name: value for name, value in said.items() if value != ""}
