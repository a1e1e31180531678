"""Placeholders of PanDA in texts, as those of our task engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from jobs.api.panda.prun.fields import Fields

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}|\$JEDITASKID\b")
TASK: Final = "$JEDITASKID"
# In names of files.
IN_NAMES: Final[Mapping[str, str]] = {TASK: "${TASKID}", "SN/P": "${SN6}", "SN": "${N}"}
# In parameters of all jobs that run.
IN_PARAMETERS: Final[Mapping[str, str]] = {
    **IN_NAMES,
    "IN": "${IN}",
    "IN/L": "${IN}",
    "IN/T": "${INLIST}",
    "MAXEVENTS": "${MAXEVENTS}",
    "SKIPEVENTS": "${SKIPEVENTS}",
    "FIRSTEVENT": "${FIRSTEVENT}",
    "SEQNUMBER": "${N}",
    "RNDMSEED": "${N}",
}


def translated(text: str, values: Mapping[str, str], *, place: str, fields: Fields) -> str:
    """The text with our placeholders; one that `values` lacks is refused by its name."""
    wrong: list[str] = []

    def ours(found: re.Match[str]) -> str:
        name = found[0] if found[1] is None else found[1]
        if name not in values:
            wrong.append(found[0])
        return values.get(name, "")

    told = _PLACEHOLDER.sub(ours, text)
    if wrong:
        names = ", ".join(dict.fromkeys(wrong))
        fields.refuse(place, f"has {names}, which is not offered here", code="unknown_placeholder")
    return told


def secondary(streams: list[str]) -> dict[str, str]:
    """What stands for the files of secondary streams, by their order."""
    found: dict[str, str] = {}
    for i, name in enumerate(streams):
        found |= {name: f"${{SECONDARY{i}}}", f"{name}/L": f"${{SECONDARY{i}}}"}
        found[f"{name}/T"] = f"${{SECONDARYLIST{i}}}"
    return found
