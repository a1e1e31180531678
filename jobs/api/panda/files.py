"""The files that a pilot's last word names: `{"lfn": {"guid", "fsize", "adler32", "surl"}}`."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from rest_framework.exceptions import ValidationError

from jobs.api.panda.fields import INT64, Said
from jobs.said import ReportedFile
from pandasite.base.errors import BadInput
from pandasite.base.json import loads_strict
from pandasite.base.serializers import Adler32Field, GuidField, LfnField

NAME: Final = "job_output_report"
FILES_MAX: Final = 1000
TEXT_MAX: Final = 2 * 1024 * 1024  # bytes


def files_of(said: Said) -> dict[str, ReportedFile]:
    """By LFN. The report is an object, or JSON text of one, though PanDA calls it `xml`."""
    value = said.value(NAME)
    if value in (None, {}):
        return {}
    if isinstance(value, str):
        value = _decoded(said, value)
    if not isinstance(value, dict):
        raise said.refuse(NAME, "must be a JSON object of files by LFN", code="not_an_object")
    if len(value) > FILES_MAX:
        raise said.refuse(
            NAME, f"must have at most {FILES_MAX} files", code="too_many", max=FILES_MAX
        )
    return {lfn: _file(said, lfn, facts) for lfn, facts in value.items()}


def _decoded(said: Said, text: str) -> dict[str, Any]:
    try:
        return loads_strict(text.encode(errors="replace"), max_bytes=TEXT_MAX)
    except BadInput as error:
        message = f"must be a JSON object of files by LFN: {error.message}"
        raise said.refuse(NAME, message, code=error.code) from error


def _file(said: Said, lfn: str, facts: Any) -> ReportedFile:
    """Outputs have no GUID from their pilot: they get one here."""
    where = f"{said.wire(NAME)}[{json.dumps(lfn[:64])}]"
    if not isinstance(facts, dict):
        raise said.refuse(where, "must be an object", code="not_an_object")
    one = Said(facts)
    size = one.whole("fsize", low=0, high=INT64)
    if size is None:
        raise said.refuse(f"{where}.fsize", "is required", code="fsize_required")
    try:
        return ReportedFile(
            lfn=LfnField().run_validation(lfn),
            guid=GuidField().run_validation(one.value("guid") or str(uuid.uuid4())),
            size=size,
            adler32=Adler32Field().run_validation(one.value("adler32")),
        )
    except ValidationError as error:
        detail = error.detail[0] if isinstance(error.detail, list) else error.detail
        code = getattr(detail, "code", "invalid")
        raise said.refuse(where, str(detail), code=str(code)) from error
