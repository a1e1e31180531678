"""A job in the form in which PanDA's pilots get it: lists are text with commas, nothing is NULL."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.conf import settings

from jobs.models import JobFile
from jobs.said import log_name
from jobs.sandboxes.needs import needs_of
from jobs.trf.programs import PATH

NULL: Final = "NULL"


def all_as_panda(jobs: Sequence[dict[str, Any]], *, site: str) -> list[dict[str, Any]]:
    """Jobs as a pilot gets them that called the address `site`."""
    needs = needs_of(jobs)
    return [as_panda(job) | _program(job, needs.get(job["panda_id"]), site) for job in jobs]


def _program(job: dict[str, Any], needs: dict[str, Any] | None, site: str) -> dict[str, str]:
    """Of one of our transformations: its address, and a key by which it fetches the sandbox."""
    if needs is None:
        return {}
    folder = settings.PANDASITE_TRF_URL or site + PATH.rstrip("/")
    sandbox = needs["sandbox"]
    key = f"--cacheKey {sandbox['key']} " if sandbox else ""
    transformation = f"{folder}/{job['transformation']}"
    return {"transformation": transformation, "jobPars": key + job["job_parameters"]}


def as_panda(job: dict[str, Any]) -> dict[str, Any]:
    """What `dispatch` tells of a job, under PanDA's names. Memory and disk in MB, times in s."""
    inputs = [f for f in job["files"] if f["type"] == JobFile.Type.INPUT]
    outputs = [f for f in job["files"] if f["type"] == JobFile.Type.OUTPUT]
    storage = (job["storage"] or {}).get("name", "")
    return {
        "StatusCode": 0,
        **_plain(job),
        **_inputs(inputs, storage),
        **_outputs(job, outputs, storage),
    }


def _plain(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "PandaID": job["panda_id"],
        "attemptNr": job["attempt_nr"],
        "taskID": job["task_id"] or 0,
        "jobDefinitionID": job["job_definition_id"] or 0,
        "jobsetID": job["job_definition_id"] or 0,
        "reqID": 0,
        "jobName": job["job_name"],
        "prodSourceLabel": job["prod_source_label"],
        "processingType": job["processing_type"] or NULL,
        "prodUserID": job["prod_user_id"],
        "workingGroup": job["working_group"] or NULL,
        "VO": job["vo"],
        "transformation": job["transformation"],
        "jobPars": job["job_parameters"],
        "swRelease": job["atlas_release"] or NULL,
        "homepackage": job["homepackage"] or NULL,
        "cmtConfig": job["cmt_config"] or NULL,
        "coreCount": job["core_count"],
        "minRamCount": job["min_ram_count"],
        "maxDiskCount": job["max_disk_count"],
        "maxCpuCount": job["max_cpu_count"],
        "maxWalltime": NULL,
        "transferType": NULL,
        "nSent": 0,
    }


def _inputs(files: Sequence[dict[str, Any]], storage: str) -> dict[str, str]:
    return {
        "inFiles": _list(f["lfn"] for f in files),
        "scopeIn": _list(f["scope"] for f in files),
        "GUID": _list(f["guid"] for f in files),
        "fsize": _list(f["size"] for f in files),
        "checksum": _list(f"ad:{f['adler32']}" if f["adler32"] else None for f in files),
        "realDatasetsIn": _list(f["dataset"] for f in files),
        "ddmEndPointIn": _list(storage for _ in files),
        "prodDBlockToken": _list(None for _ in files),
    }


def _outputs(job: dict[str, Any], files: Sequence[dict[str, Any]], storage: str) -> dict[str, str]:
    """The log goes with the outputs, and has its scope apart."""
    scope, log = log_name(job["panda_id"], job["attempt_nr"])
    own = f"panda.output.{job['panda_id']}"
    datasets = [f["dataset"] or own for f in files]
    return {
        "outFiles": _list([*(f["lfn"] for f in files), log]),
        "realDatasets": _list([*datasets, own]),
        "destinationDblock": ",".join(dict.fromkeys([*datasets, own])),
        "ddmEndPointOut": _list(storage for _ in [*files, log]),
        "destinationDBlockToken": _list(None for _ in [*files, log]),
        # A pilot takes the key to be there also where it has no output but the log.
        "scopeOut": ",".join(f["scope"] for f in files),
        "logFile": log,
        "logGUID": str(uuid.uuid4()),
        "scopeLog": scope,
    }


def _list(values: Iterable[Any]) -> str:
    return ",".join(NULL if value in (None, "") else str(value) for value in values)
