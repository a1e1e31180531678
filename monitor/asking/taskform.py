"""The form for a task: from what was filled in to a request, and from its faults to the fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms

from jobs.api.resolve import check_rights
from jobs.models import Tag, Transformation
from jobs.tags import FACTS
from jobs.tasks_engine.spec import TaskSpec, spec_from
from jobs.usual import usual_vo
from monitor.asking import fields
from monitor.asking.kinds import Kind
from pandasite.base.errors import BadInput, DomainError, NotAllowed

PLAIN = (
    "name", "vo", "tag", "working_group", "processing_type", "prod_source_label", "priority",
    "campaign", "parent", "transformation", "atlas_release", "cmt_config", "job_parameters",
    "files_per_job", "gb_per_job", "events", "events_per_job", "memory_mb", "cpu_s_per_event",
    "wall_s", "disk_mb", "core_count", "max_attempts", "cloud", "site", "destination_se",
)  # fmt: skip
EMPTY = (None, "")
BEAM = (("particle", "--particle"), ("energy_gev", "--energy"), ("run", "--run"))
MERGE = {
    "transformation": "merge_transformation", "job_parameters": "merge_parameters",
    "files_per_job": "merge_files_per_job",
}  # fmt: skip


class TaskForm(forms.Form):
    """A form of a kind. Valid when the engine takes the request; `spec` is that."""

    required_css_class = "required"

    def __init__(self, kind: Kind, data: Any = None, *, user: Any, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.kind, self.user = kind, user
        self.spec: TaskSpec | None = None
        self.fields.update(fields.made(kind.fields))
        self.fields["reason"] = fields.reason()

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields by what they are about."""
        found = [
            (title, [self[name] for name in names if name in self.fields])
            for title, names in fields.GROUPS.items()
        ]
        return [(title, there) for title, there in found if there]

    def clean(self) -> dict[str, Any]:
        """Ask the engine; what is wrong is said beside its field."""
        said = self.cleaned_data
        if not self.errors:
            self._judge(said)
        if self.data.get("act") == "submit" and not said.get("reason"):
            self.add_error("reason", "reason must be given: it is kept with your name")
        return said

    def _judge(self, said: Mapping[str, Any]) -> None:
        owner = self.user.get_username()
        try:
            request = request_of(said, owner=owner)
            if said.get("tag") and not Tag.objects.filter(name=said["tag"]).exists():
                raise _bad("tag", f"there is no tag {said['tag']}")
            spec = spec_from(request, owner=owner)
            check_rights([spec.as_json()], self.user, place="", priority="priority")
            self.spec = spec
        except (BadInput, NotAllowed) as error:
            self.say(error)

    def say(self, error: DomainError) -> None:
        """Each fault beside its field."""
        faults = error.fields or [{"field": "", "message": error.message}]
        for fault in faults:
            place = place_of(str(fault["field"]))
            self.add_error(place if place in self.fields else None, fault["message"])


def start_of(kind: Kind, given: Mapping[str, str], *, user: Any) -> dict[str, str]:
    """What a form starts with: what the address says, and sensible defaults."""
    may_produce = user.has_perm("jobs.submit_production")
    start: dict[str, str] = {
        **kind.starts,
        "prod_source_label": "managed" if may_produce else "user",
        "vo": usual_vo(user),
        "transformation": _transformation(kind.word),
    }
    if given.get("tag"):  # which says these
        start = {name: text for name, text in start.items() if name not in FACTS}
    return start | dict(given)


def _transformation(word: str) -> str:
    """The first of the catalogue that has the word in its name."""
    if not word:
        return ""
    names = Transformation.objects.filter(name__icontains=word).exclude(name__endswith="*")
    return names.order_by("name").values_list("name", flat=True).first() or ""


def request_of(said: Mapping[str, Any], *, owner: str) -> dict[str, Any]:
    """The request for the engine; what was left empty is left out. BadInput for a wrong line."""
    request = {name: said[name] for name in PLAIN if said.get(name) not in EMPTY}
    request["inputs"] = said.get("inputs", "").split()
    request["secondary"] = [*_secondary(said.get("secondary", ""))]
    request["outputs"] = [*_outputs("outputs", said.get("outputs", ""))]
    request["scouts"] = said.get("scouts") != "no"
    if not request["outputs"] and request.get("name"):
        request["outputs"] = [_output_by_name(request["name"], owner)]
    if beam := [f"{option} {said[name]}" for name, option in BEAM if said.get(name) not in EMPTY]:
        request["job_parameters"] = " ".join([*beam, request.get("job_parameters", "")]).strip()
    if any(said.get(name) for name in (*MERGE.values(), "merge_output")):
        request["merge"] = _merge(said)
    return request


def _merge(said: Mapping[str, Any]) -> dict[str, Any]:
    there = {k: said[name] for k, name in MERGE.items() if said.get(name) not in EMPTY}
    outputs = [*_outputs("merge_output", said.get("merge_output", ""))]
    if len(outputs) != 1:
        raise _bad("merge_output", "merge_output must be one: dataset, scope, file name")
    return there | outputs[0]


def _output_by_name(name: str, owner: str) -> dict[str, str]:
    """One output, called after the task."""
    stem = re.sub(r"[^A-Za-z0-9._+-]", "_", name)[:150].strip("._") or "task"
    return {"dataset": f"{stem}.OUT", "scope": f"user.{owner}", "lfn": f"{stem}._${{SN}}.root"}


def _outputs(field: str, text: str) -> Iterator[dict[str, str]]:
    for nr, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        words = line.replace(",", " ").split()
        if len(words) != 3:
            raise _bad(field, f"{field} line {nr} must be dataset, scope, file name: '{line[:80]}'")
        yield dict(zip(("dataset", "scope", "lfn"), words, strict=True))


def _secondary(text: str) -> Iterator[dict[str, Any]]:
    for nr, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        words = line.replace(",", " ").split()
        number = words[1] if len(words) == 2 else "1" if len(words) == 1 else ""
        if not (number.isascii() and number.isdigit() and len(number) < 6):
            words_ = f"secondary line {nr} must be a dataset and a number of files: '{line[:80]}'"
            raise _bad("secondary", words_)
        yield {"dataset": words[0], "files_per_job": int(number)}


def place_of(field: str) -> str:
    """The field of the form that an engine's field stands in: `outputs[0].lfn` in `outputs`."""
    top, _, inner = field.partition(".")
    if top == "merge":
        return MERGE.get(inner, "merge_output")
    return top.partition("[")[0]


def _bad(field: str, words: str) -> BadInput:
    return BadInput(words, code="bad_value", fields=[{"field": field, "message": words}])
