"""The steps besides the jobs themselves: the build before them, and the merge behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jobs.api.panda.prun import words
from jobs.api.panda.prun.fields import Fields
from jobs.api.panda.prun.streams import scope_of
from jobs.trf.programs import BUILD, MERGE

UNMERGED: Final = "panda.um."  # as PanDA calls what is still to be merged
# What becomes of what in a merge: runMerge has an option for it. Logs are kept apart from outputs.
_TRANSIENT: Final = re.compile(r"\$\{TRN_OUTPUT\d*:OUTPUT\d*\}")
_LOGS: Final = re.compile(r"\$\{TRN_LOG\w*:\w+\}")
TABLE: Final = "--trn \"{'${OUTPUT0}': ${INLIST}}\""


def build(fields: Fields, task: str, *, url: str) -> dict[str, str]:
    """One job that makes the library of the others."""
    said = Fields(fields.object("buildSpec"))
    archive = said.text("archiveName", needed=True)
    values = {"IN": archive, "OUT": "${OUTPUT0}", "SURL": url}
    text = said.text("jobParameters", needed=True)
    if said.peek("tarBallViaDDM"):
        said.refuse("tarBallViaDDM", "is not offered here")
    told = words.translated(text, values, place="jobParameters", fields=said)
    fields.absorb("buildSpec", said)
    dataset = f"{task}.lib"
    return {
        "transformation": BUILD,
        "job_parameters": told.strip(),
        "dataset": dataset,
        "scope": scope_of(dataset),
        "lfn": f"{task}.${{TASKID}}.lib.tgz",
    }


def merge(fields: Fields, request: dict[str, Any], values: Mapping[str, str]) -> None:
    """Merge the output of the jobs, which gets another name until then."""
    outputs = request["outputs"]
    if len(outputs) != 1:
        fields.refuse("mergeOutput", f"is for tasks with one output here, not with {len(outputs)}")
        return
    said = Fields(fields.object("mergeSpec"))
    if (path := said.text("transPath")) and path.rpartition("/")[2] != MERGE:
        said.refuse("transPath", f"must be {MERGE}, not {path[:100]}")
    text = _LOGS.sub("", said.text("jobParameters", needed=True))
    parts = _TRANSIENT.split(text)
    told = TABLE.join(
        words.translated(part, values, place="jobParameters", fields=said) for part in parts
    )
    fields.absorb("mergeSpec", said)
    wanted = dict(outputs[0])
    hidden = {name: f"{UNMERGED}{wanted[name]}" for name in ("dataset", "lfn")}
    request["outputs"] = [{**wanted, **hidden}]
    request["job_parameters"] = request["job_parameters"].replace(wanted["lfn"], hidden["lfn"])
    request["merge"] = wanted | {
        "transformation": MERGE,
        "job_parameters": told.strip(),
        "files_per_job": fields.whole("nFilesPerMergeJob", high=500),
        "gb_per_job": fields.whole("nGBPerMergeJob", high=100_000),
    }
