"""Whether task requests can ever run: every wrong field is named, with its limit.

A few queries for all requests together, which may refer to each other: parents, and datasets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from datasets.models import Dataset
from datasets.states import DatasetState
from jobs import tags
from jobs.api.names import Names
from jobs.models import Tag, Task
from jobs.report import LOG_SCOPE
from jobs.tasks_engine import selection, template
from jobs.tasks_engine.body import NUMBER, TaskBody
from jobs.tasks_engine.circles import circular
from jobs.tasks_engine.faults import placeholders, unknown_name
from pandasite.base import serializers as strict
from pandasite.base.errors import BadInput, field_error
from pandasite.base.problems import problem_of

Said = Mapping[str, Any]
Fault = dict[str, Any]
SYSTEM = (Dataset.Type.DISPATCH, Dataset.Type.SUB)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the names in the requests stand for."""

    names: Names
    datasets: Mapping[str, Dataset]
    made: frozenset[str] = frozenset()  # datasets that others of these requests make
    fresh: frozenset[tuple[str, str]] = frozenset()  # (owner, name) of these requests
    tasks: frozenset[tuple[str, str]]  # (owner, name), and ("", number), of tasks that there are
    tags: Mapping[str, Tag]


def check(requests: Sequence[tuple[Said, str]]) -> list[dict[str, Any] | BadInput]:
    """What each (request, owner's name) says, with defaults; or what is wrong with it.

    Who depends on one that is refused is refused as well.
    """
    known_tags = tags.named_by(said for said, _ in requests)
    found = [_read(tags.filled(said, known_tags)) for said, _ in requests]
    owners = [owner for _, owner in requests]
    known = replace(_known(_good(found, owners)), tags=known_tags)
    while True:
        known = _with(known, _good(found, owners))
        checked = [
            f if isinstance(f, BadInput) else _checked(f, owner, known)
            for f, owner in zip(found, owners, strict=True)
        ]
        checked = _without_circles(checked, owners)
        if len(_good(checked, owners)) == len(_good(found, owners)):
            return checked
        found = checked


def faults_of(tasks: Sequence[Task]) -> dict[int, str]:
    """Why tasks that were kept can never run, by their number: a name that has gone since then."""
    found = faults_in([task.spec for task in tasks])
    return {
        task.pk: "; ".join(fault["message"] for fault in faults)
        for task, faults in zip(tasks, found, strict=True)
        if faults
    }


def faults_in(specs: Sequence[Said]) -> list[list[Fault]]:
    """Which names in specs of kept tasks stand for nothing (any more)."""
    if not specs:
        return []
    known = _known([(dict(one), one["owner"]) for one in specs])
    return [[*_unknown(one, known), *_unreadable(one, known)] for one in specs]


def _good(
    found: Sequence[dict[str, Any] | BadInput], owners: Sequence[str]
) -> list[tuple[dict[str, Any], str]]:
    return [(f, owner) for f, owner in zip(found, owners, strict=True) if isinstance(f, dict)]


def _read(said: Said) -> dict[str, Any] | BadInput:
    """Kinds and ranges."""
    try:
        return _plain(strict.validated(TaskBody, dict(said)))
    except ValidationError as error:
        problem = problem_of(error)
        faults = [dict(fault) for fault in problem.fields]
        return BadInput(problem.message, code=problem.code, fields=faults)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _known(requests: Sequence[tuple[dict[str, Any], str]]) -> Known:
    said = [one for one, _ in requests]
    data = {name for one in said for name in (*_reads(one), *_makes(one))}
    named = {one["parent"] for one in said if one["parent"]}
    numbers = [int(name) for name in named if NUMBER.fullmatch(name)]
    owners = {owner for _, owner in requests}
    names = named | {one["name"] for one in said}
    wanted = Q(pk__in=numbers) | Q(owner__username__in=owners, name__in=names)
    tasks = list(Task.objects.filter(wanted).values_list("pk", "owner__username", "name"))
    return Known(
        names=Names.of(said),
        datasets={d.name: d for d in Dataset.objects.filter(name__in=data)},
        tags={},
        tasks=frozenset([(own, name) for _, own, name in tasks] + [("", str(t[0])) for t in tasks]),
    )


def _with(known: Known, requests: Sequence[tuple[dict[str, Any], str]]) -> Known:
    """The same, with what those requests make that are still good."""
    made = frozenset(name for one, _ in requests for name in _makes(one))
    fresh = frozenset((owner, one["name"]) for one, owner in requests)
    return replace(known, made=made, fresh=fresh)


def _reads(said: Said) -> list[str]:
    return [*said["inputs"], *(one["dataset"] for one in said["secondary"])]


def _makes(said: Said) -> list[str]:
    return [one["dataset"] for one in (*said["outputs"], said["merge"], said.get("build")) if one]


def _checked(said: dict[str, Any], owner: str, known: Known) -> dict[str, Any] | BadInput:
    """A request that was kept before is not checked against the names of today."""
    faults = [*_contradictions(said), *selection.faults(said)]
    if (owner, said["name"]) not in known.tasks:
        faults += [*_unknown(said, known), *_data(said, known), *_family(said, owner, known)]
        faults += tags.contradictions(said, known.tags)
    if faults:
        return BadInput(faults[0]["message"], code=faults[0]["code"], fields=faults)
    return said


def _unknown(said: Said, known: Known) -> Iterator[Fault]:
    names = known.names
    for column, its_names in names.known.items():
        if said.get(column) and said[column] not in its_names:
            yield unknown_name(column, said[column], names, column=column)
    for step in ("merge", "build"):
        name = said[step]["transformation"] if said.get(step) else ""
        if name and name not in names.transformations:
            yield unknown_name(f"{step}.transformation", name, names, column="transformation")
    site, cloud = names.rows["site"].get(said["site"]), said["cloud"]
    if site is not None and cloud and site.cloud.name != cloud:
        message = f"site is in cloud {site.cloud.name}, not in {cloud}"
        yield field_error("site", message, code="wrong_cloud")


def _contradictions(said: Said) -> Iterator[Fault]:
    """What a request says against itself."""
    if said["inputs"]:
        if said["events"]:
            words = "events is for tasks without input: with input, its files have the events"
            yield field_error("events", words, code="not_with_input")
    else:
        yield from _without_input(said)
    if said["merge"] and not said["outputs"]:
        yield field_error("merge", "merge needs an output to read", code="nothing_to_merge")
    yield from _placeholders(said)
    yield from _outputs(said)


def _without_input(said: Said) -> Iterator[Fault]:
    for name in ("files_per_job", "gb_per_job", "events_per_file", "select"):
        if said[name]:
            yield field_error(name, f"{name} is for tasks with input", code="needs_input")
    if said["secondary"]:
        words = "secondary is for tasks with input"
        yield field_error("secondary", words, code="needs_input")
    if not said["events"]:
        words = "events must be at least 1 for a task without input"
        yield field_error("events", words, code="events_required", min=1)
    if not said["events_per_job"]:
        words = "events_per_job must be at least 1 for a task without input"
        yield field_error("events_per_job", words, code="events_per_job_required", min=1)
    elif said["events"] > 10_000_000 * said["events_per_job"]:
        words = "events_per_job must be larger: this would be more than 10,000,000 jobs"
        yield field_error("events_per_job", words, code="too_many_jobs", max=10_000_000)


def _placeholders(said: Said) -> Iterator[Fault]:
    besides = len(said["secondary"])
    counts = {"OUTPUT": len(said["outputs"]), "SECONDARY": besides, "SECONDARYLIST": besides}
    known = {**template.IN_PARAMETERS, **(template.LIB if said["build"] else {})}
    yield from placeholders("job_parameters", said["job_parameters"], counts, names=known)
    for step, names in (("merge", known), ("build", template.IN_PARAMETERS)):
        if said[step]:
            text = said[step]["job_parameters"]
            yield from placeholders(f"{step}.job_parameters", text, {"OUTPUT": 1}, names=names)


def _outputs(said: Said) -> Iterator[Fault]:
    places = [(f"outputs[{i}]", one) for i, one in enumerate(said["outputs"])]
    places += [(step, said[step]) for step in ("merge", "build") if said[step]]
    seen: dict[str, str] = {}
    for place, one in places:
        if one["scope"] == LOG_SCOPE:
            words = f"{place}.scope {LOG_SCOPE} is for logs"
            yield field_error(f"{place}.scope", words, code="reserved_scope")
        if one["lfn"] in seen:
            words = f"{place}.lfn {one['lfn']} is named already by {seen[one['lfn']]}"
            yield field_error(f"{place}.lfn", words, code="duplicate_lfn")
        seen.setdefault(one["lfn"], f"{place}.lfn")
        if one["dataset"] in _reads(said):
            words = f"{place}.dataset {one['dataset']} is read by the same task"
            yield field_error(f"{place}.dataset", words, code="circular")
    made = {one["dataset"] for one in said["outputs"]}
    for step in ("merge", "build"):
        if said[step] and said[step]["dataset"] in made:
            words = f"{step}.dataset {said[step]['dataset']} is an output of the jobs themselves"
            yield field_error(f"{step}.dataset", words, code="circular")


def _unreadable(said: Said, known: Known) -> Iterator[Fault]:
    for field, name in _read_places(said):
        if name not in known.datasets and name not in known.made:
            words = f"{field} {name} does not exist, and no task makes it"
            yield field_error(field, words, code="no_such_dataset")
        elif name in known.datasets and known.datasets[name].state == DatasetState.ERASED:
            yield field_error(field, f"{field} {name} is erased", code="dataset_erased")


def _data(said: Said, known: Known) -> Iterator[Fault]:
    yield from _unreadable(said, known)
    for i, one in enumerate(said["outputs"]):
        yield from _takes_files(f"outputs[{i}].dataset", one["dataset"], known)
    if said["build"]:
        yield from _takes_files("build.dataset", said["build"]["dataset"], known)
    if said["merge"]:
        yield from _takes_files("merge.dataset", said["merge"]["dataset"], known)
        first = said["outputs"][0]["dataset"] if said["outputs"] else ""
        if first in known.datasets:
            words = f"outputs[0].dataset {first} must be new: what is in it would be merged too"
            yield field_error("outputs[0].dataset", words, code="dataset_exists")


def _read_places(said: Said) -> Iterator[tuple[str, str]]:
    for i, name in enumerate(said["inputs"]):
        yield f"inputs[{i}]", name
    for i, one in enumerate(said["secondary"]):
        yield f"secondary[{i}].dataset", one["dataset"]


def _takes_files(field: str, name: str, known: Known) -> Iterator[Fault]:
    dataset = known.datasets.get(name)
    if dataset and (dataset.type in SYSTEM or dataset.state != DatasetState.OPEN):
        words = f"{field} {name} is {dataset.type}, {dataset.state}: it takes no files"
        yield field_error(field, words, code="dataset_closed")


def _family(said: Said, owner: str, known: Known) -> Iterator[Fault]:
    parent, there = said["parent"], known.tasks | known.fresh
    if parent and (owner, parent) not in there and ("", parent) not in there:
        yield field_error("parent", f"there is no task {parent}", code="no_such_task")


def _without_circles(
    found: Sequence[dict[str, Any] | BadInput], owners: Sequence[str]
) -> list[dict[str, Any] | BadInput]:
    """Those refused that wait for themselves in the end, and those that need a refused one."""
    good = {i: f for i, f in enumerate(found) if isinstance(f, dict)}
    makers: dict[str, set[int]] = {}
    for i, said in good.items():
        for name in _makes(said):
            makers.setdefault(name, set()).add(i)
    numbers = {(owners[i], said["name"]): i for i, said in good.items()}
    waits: dict[int, set[int]] = {}
    for i, said in good.items():
        waits[i] = {j for name in _reads(said) for j in makers.get(name, ())}
        if (parent := numbers.get((owners[i], said["parent"]))) is not None:
            waits[i].add(parent)
    turning = circular(waits)
    return [_turning(f) if i in turning and isinstance(f, dict) else f for i, f in enumerate(found)]


def _turning(said: Said) -> BadInput:
    field = "parent" if said["parent"] else "inputs"
    words = f"{field} of {said['name']} leads back to itself: a task cannot wait for its own end"
    return BadInput(words, code="circular", fields=[field_error(field, words, code="circular")])
