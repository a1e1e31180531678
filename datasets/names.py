"""What the name of a dataset says: project, stream, production step and data type. Pure.

Simulation: `project.number.name.step.TYPE.tags`; data: `project.run.stream.step.TYPE.tags`. Older
and shorter names leave fields out, so the type is looked for: the first field in capitals behind
the number, or `log`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OTHER = "other"
PERSONAL = ("user", "group")  # whose names are free behind the second dot
_TYPE = re.compile(r"[A-Z][A-Z0-9_]*|log")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DATA = re.compile(r"data\d*(_\w+)?")


@dataclass(frozen=True, order=True, kw_only=True)
class Physics:
    """The fields of a name; '' where it has none. `stream` is that of data, not of simulation."""

    project: str
    stream: str = ""
    step: str = ""
    data_type: str = ""


def parse(name: str) -> Physics:
    """The fields of the name of a dataset or container.

    >>> parse("data09_900GeV.00140541.physics_MinBias.merge.AOD.f172")
    Physics(project='data09_900GeV', stream='physics_MinBias', step='merge', data_type='AOD')
    >>> parse("mc09_7TeV.105001.pythia_minbias.evgen.EVNT.e479_tid012345")
    Physics(project='mc09_7TeV', stream='', step='evgen', data_type='EVNT')
    """
    fields = name.rstrip("/").split(".")
    project = fields[0]
    if len(fields) < 2 or not _WORD.fullmatch(project):
        return Physics(project=OTHER)
    if project.lower() in PERSONAL:
        return Physics(project=project.lower())
    at = next((nr for nr, text in enumerate(fields) if nr > 1 and _TYPE.fullmatch(text)), 0)
    is_data = _DATA.fullmatch(project) is not None
    before = fields[at - 1] if at > 2 + is_data else ""
    step = before if _WORD.fullmatch(before) else ""
    return Physics(
        project=project[:64],
        stream=fields[2][:64] if is_data and at > 2 else "",
        step=step[:64],
        data_type=fields[at][:64] if at else "",
    )
