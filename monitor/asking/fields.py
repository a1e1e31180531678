"""The fields of the forms for tasks: what each is called and means, and how it is filled in.

Their ranges are the engine's: it judges what was filled in, and its words come beside the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from jobs.tasks_engine import body

LINES, WORDS = body.PARAMETERS_MAX, 255
Making = Callable[[], forms.Field]
EITHER = (("yes", "yes"), ("no", "no"))


def _text(label: str, help: str, *, longest: int = WORDS, wide: bool = False) -> Making:
    attrs = {"autocomplete": "off", "spellcheck": "false"} | ({"class": "wide"} if wide else {})
    return lambda: forms.CharField(
        label=label, help_text=help, required=False, max_length=longest, strip=True,
        widget=forms.TextInput(attrs=attrs),
    )  # fmt: skip


def _lines(label: str, help: str, *, rows: int = 2) -> Making:
    attrs = {"rows": rows, "cols": 70, "spellcheck": "false"}
    return lambda: forms.CharField(
        label=label, help_text=help, required=False, max_length=LINES, strip=True,
        widget=forms.Textarea(attrs=attrs),
    )  # fmt: skip


def _whole(label: str, help: str) -> Making:
    return lambda: forms.IntegerField(label=label, help_text=help, required=False)


def _real(label: str, help: str) -> Making:
    return lambda: forms.FloatField(label=label, help_text=help, required=False)


def _choice(label: str, help: str, words: tuple[tuple[str, str], ...]) -> Making:
    return lambda: forms.ChoiceField(label=label, help_text=help, required=False, choices=words)


FIELDS: Mapping[str, Making] = {
    "name": _text("Task name", "needed; yours alone: it stands for this one request", wide=True),
    "vo": _text("VO", "needed: virtual organisation"),
    "tag": _text("Tag", "gives transformation, release and parameters: leave those empty then"),
    "working_group": _text("Working group", "one of yours; empty: none", longest=64),
    "processing_type": _text("Processing type", "for shares and sums, such as evgen", longest=64),
    "prod_source_label": _text("prodSourceLabel", "managed needs a production role", longest=20),
    "priority": _whole("Priority", "more is sooner; empty: 100"),
    "campaign": _text("Campaign", "such as mc09", longest=64),
    "parent": _text("Parent task", "name or number of the task that this one goes on from"),
    "transformation": _text("Transformation", "the program; needed, unless a tag says it"),
    "atlas_release": _text("Release", "such as Atlas-14.5.0; empty: any", longest=64),
    "cmt_config": _text("Platform", "cmtConfig; empty: any", longest=64),
    "job_parameters": _lines(
        "Job parameters",
        "${MAXEVENTS}, ${FIRSTEVENT}, ${N} (seed), ${INPUTS}, ${OUTPUT0} stand for the job's own",
    ),
    "particle": _text("Beam particle", "such as pi+, e-, mu-; given as --particle", longest=16),
    "energy_gev": _real("Beam energy (GeV)", "given as --energy"),
    "run": _whole("Run number", "of the test beam's setup; given as --run"),
    "inputs": _lines("Input datasets", f"a name on each line, at most {body.INPUTS_MAX}"),
    "secondary": _lines(
        "Secondary inputs", "a line each: dataset, files per job; taken in turn, again and again"
    ),
    "files_per_job": _whole("Files per job", "of the input; empty: one"),
    "gb_per_job": _real("GB per job", "of the input; empty: no limit"),
    "events": _whole("Events", "in all; for tasks without input"),
    "events_per_job": _whole("Events per job", "for tasks without input"),
    "outputs": _lines(
        "Outputs", "a line each: dataset, scope, file name with ${SN}; empty: one, by the name"
    ),
    "memory_mb": _whole("Memory (MB)", "of a job; empty: any"),
    "cpu_s_per_event": _real("CPU time per event (s)", "empty: scouts tell"),
    "wall_s": _whole("Wall time (s)", "of a job; a pilot ends it behind that"),
    "disk_mb": _whole("Disk (MB)", "scratch space of a job"),
    "core_count": _whole("Cores", "of a job; empty: one"),
    "max_attempts": _whole("Attempts", "at each piece of work; empty: 3"),
    "cloud": _text("Cloud", "empty: it is chosen", longest=16),
    "site": _text("Site", "empty: it is chosen", longest=64),
    "destination_se": _text("Outputs to", "storage element; empty: where they are made"),
    "scouts": _choice("Scouts first", "a few jobs run first, and are measured", EITHER),
    "merge_transformation": _text("Merge with", "a transformation; empty: outputs are not merged"),
    "merge_parameters": _lines("Merge parameters", "as above; ${INPUTS} are the files to merge"),
    "merge_output": _text("Merged output", "dataset, scope, file name with ${SN}", wide=True),
    "merge_files_per_job": _whole("Files per merge", "empty: 10"),
}  # fmt: skip
# What people look at together; a kind of form has those of them that it has fields of.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "The task": (
        "name", "vo", "tag", "working_group", "prod_source_label", "priority", "campaign", "parent",
        "processing_type",
    ),
    "The program": ("transformation", "atlas_release", "cmt_config", "job_parameters"),
    "The beam": ("particle", "energy_gev", "run"),
    "Its work": (
        "events", "events_per_job", "inputs", "secondary", "files_per_job", "gb_per_job", "outputs",
        "scouts",
    ),
    "What a job needs": (
        "memory_mb", "cpu_s_per_event", "wall_s", "disk_mb", "core_count", "max_attempts",
    ),
    "Where": ("cloud", "site", "destination_se"),
    "Merging": ("merge_transformation", "merge_parameters", "merge_output", "merge_files_per_job"),
}  # fmt: skip


def reason() -> forms.Field:
    """Why; needed to send the form."""
    return forms.CharField(
        label="Reason",
        help_text="needed to send it; kept with your name for everybody to read",
        required=False,
        max_length=WORDS,
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "wide"}),
    )


def made(names: tuple[str, ...]) -> dict[str, Any]:
    """Fresh fields of these names."""
    return {name: FIELDS[name]() for name in names}
