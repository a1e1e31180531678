"""The files of a last word, held to those that its job declares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from jobs.kept_leases import Word
from jobs.models import JobFile
from jobs.said import Report

MISSING_OUTPUT: Final = 1165  # as the pilots themselves call an output that is not there
DIAG_MAX: Final = 500


def with_what_is_declared(words: Sequence[Word]) -> list[Word]:
    """The words, with outputs that their jobs declare and no others.

    A job that lacks one has failed, whatever its pilot says: a pilot of this wire would not come
    again with a better list.
    """
    finished = [word.report.panda_id for word in words if word.report.state == "finished"]
    declared: dict[int, set[str]] = defaultdict(set)
    if finished:
        rows = JobFile.objects.filter(job__in=finished, type=JobFile.Type.OUTPUT)
        for panda_id, lfn in rows.values_list("job", "lfn"):
            declared[panda_id].add(lfn)
    return [replace(word, report=_held_to(word.report, declared)) for word in words]


def _held_to(report: Report, declared: dict[int, set[str]]) -> Report:
    if report.state != "finished":
        return replace(report, output_files=())
    wanted = declared[report.panda_id]
    made = tuple(file for file in report.output_files if file.lfn in wanted)
    missing = sorted(wanted - {file.lfn for file in made})
    if not missing:
        return replace(report, output_files=made)
    diag = f"finished without {len(missing)} of {len(wanted)} declared output files: " + ", ".join(
        missing[:10]
    )
    errors = {"pilot_error_code": MISSING_OUTPUT, "pilot_error_diag": diag[:DIAG_MAX]}
    return replace(report, state="failed", output_files=(), errors=errors)
