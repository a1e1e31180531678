"""Placeholders in job parameters and in names of outputs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What a placeholder stands for. There are numbered ones too, from 0 on: ${OUTPUT0} is the name of
# that output, ${SECONDARY0} those of the files of that secondary input, with commas between them,
# ${SECONDARYLIST0} the same as a list of Python. ${N+10} is ten more than ${N}.
IN_NAMES: Mapping[str, str] = {
    "TASKID": "number of the task",
    "SN": "number of the piece of work, from 00001 on, with five digits at least",
    "SN6": "the same with six digits at least",
    "N": "the same from 1 on, without zeros: a seed",
}
SERIALS = ("SN", "SN6", "N")  # one of them keeps the names of pieces apart
IN_PARAMETERS: Mapping[str, str] = {
    **IN_NAMES,
    "FIRSTEVENT": "number of the job's first event, from 1 on",
    "SKIPEVENTS": "events in front of it: one less",
    "MAXEVENTS": "how many events the job has; 0: not known",
    "IN": "names of the input files, with commas between them",
    "INPUTS": "names of the input files, with blanks between them",
    "INLIST": "names of the input files as a list of Python: ['a', 'b']",
}
LIB = {"LIB": "name of the file that the build job made"}  # where the task has one
COUNTED = ("N", "FIRSTEVENT", "SKIPEVENTS")  # to which a number may be added
_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_NUMBERED = re.compile(r"([A-Z]+)(\d{1,3})")
_ADDED = re.compile(r"([A-Z]+)\+(\d{1,12})")


def unknown(text: str, *, known: Mapping[str, str], counts: Mapping[str, int]) -> list[str]:
    """Placeholders that stand for nothing; `counts` says how many of each numbered one there are.

    >>> unknown("${SN} ${OUTPUT0} ${OUTPUT1} ${X}", known=IN_PARAMETERS, counts={"OUTPUT": 1})
    ['${OUTPUT1}', '${X}']
    """
    wrong = []
    for name in dict.fromkeys(_PLACEHOLDER.findall(text)):
        numbered = _NUMBERED.fullmatch(name)
        there = numbered is not None and int(numbered[2]) < counts.get(numbered[1], 0)
        added = _ADDED.fullmatch(name)
        sums = added is not None and added[1] in COUNTED and added[1] in known
        if name not in known and not there and not sums:
            wrong.append(f"${{{name}}}")
    return wrong


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced; KeyError for one that `values` lacks.

    >>> fill("--seed=${N}", {"N": "7"})
    '--seed=7'
    >>> fill("${N+10}", {"N": "7"})
    '17'
    """
    return _PLACEHOLDER.sub(lambda found: _value(found[1], values), text)


def _value(name: str, values: Mapping[str, str]) -> str:
    if added := _ADDED.fullmatch(name):
        return str(int(values[added[1]]) + int(added[2]))
    return values[name]


def of_piece(task_id: int, serial: int) -> dict[str, str]:
    """What stands in names."""
    return {
        "TASKID": str(task_id),
        "SN": f"{serial:05d}",
        "SN6": f"{serial:06d}",
        "N": str(serial),
    }


def of_job(
    names: Mapping[str, str],
    *,
    first_event: int,
    n_events: int,
    inputs: Sequence[str],
    secondary: Sequence[Sequence[str]],
    outputs: Sequence[str],
) -> dict[str, str]:
    """What stands in the parameters of a job; `names` are those `of_piece`."""
    return {
        **names,
        "FIRSTEVENT": str(first_event),
        "SKIPEVENTS": str(first_event - 1),
        "MAXEVENTS": str(n_events),
        "IN": ",".join(inputs),
        "INPUTS": " ".join(inputs),
        "INLIST": str(list(inputs)),
        **{f"OUTPUT{i}": name for i, name in enumerate(outputs)},
        **{f"SECONDARY{i}": ",".join(files) for i, files in enumerate(secondary)},
        **{f"SECONDARYLIST{i}": str(list(files)) for i, files in enumerate(secondary)},
    }
