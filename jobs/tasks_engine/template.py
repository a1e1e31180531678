"""Placeholders in job parameters and in names of outputs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What a placeholder stands for. There are numbered ones too, from 0 on: ${OUTPUT0} is the name of
# that output, ${SECONDARY0} those of the files of that secondary input, with commas between them.
IN_NAMES: Mapping[str, str] = {
    "TASKID": "number of the task",
    "SN": "number of the piece of work, from 00001 on, with five digits at least",
}
IN_PARAMETERS: Mapping[str, str] = {
    **IN_NAMES,
    "N": "number of the piece of work, from 1 on: a seed",
    "FIRSTEVENT": "number of the job's first event, from 1 on",
    "SKIPEVENTS": "events in front of it: one less",
    "MAXEVENTS": "how many events the job has; 0: not known",
    "IN": "names of the input files, with commas between them",
    "INPUTS": "names of the input files, with blanks between them",
}
_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_NUMBERED = re.compile(r"([A-Z]+)(\d{1,3})")


def unknown(text: str, *, known: Mapping[str, str], counts: Mapping[str, int]) -> list[str]:
    """Placeholders that stand for nothing; `counts` says how many of each numbered one there are.

    >>> unknown("${SN} ${OUTPUT0} ${OUTPUT1} ${X}", known=IN_PARAMETERS, counts={"OUTPUT": 1})
    ['${OUTPUT1}', '${X}']
    """
    wrong = []
    for name in dict.fromkeys(_PLACEHOLDER.findall(text)):
        numbered = _NUMBERED.fullmatch(name)
        there = numbered is not None and int(numbered[2]) < counts.get(numbered[1], 0)
        if name not in known and not there:
            wrong.append(f"${{{name}}}")
    return wrong


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced; KeyError for one that `values` lacks.

    >>> fill("--seed=${N}", {"N": "7"})
    '--seed=7'
    """
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def of_piece(task_id: int, serial: int) -> dict[str, str]:
    """What stands in names."""
    return {"TASKID": str(task_id), "SN": f"{serial:05d}"}


def of_job(
    names: Mapping[str, str],
    *,
    serial: int,
    first_event: int,
    n_events: int,
    inputs: Sequence[str],
    secondary: Sequence[Sequence[str]],
    outputs: Sequence[str],
) -> dict[str, str]:
    """What stands in the parameters of a job; `names` are those `of_piece`."""
    return {
        **names,
        "N": str(serial),
        "FIRSTEVENT": str(first_event),
        "SKIPEVENTS": str(first_event - 1),
        "MAXEVENTS": str(n_events),
        "IN": ",".join(inputs),
        "INPUTS": " ".join(inputs),
        **{f"OUTPUT{i}": name for i, name in enumerate(outputs)},
        **{f"SECONDARY{i}": ",".join(names) for i, names in enumerate(secondary)},
    }
