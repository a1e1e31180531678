"""What would become of a task: how many jobs, and which clouds would take them now, or why not."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brokerage.models import Cloud, Site
from brokerage.policy import Choice, Needs
from datasets.models import Dataset, DatasetFile
from jobs import assign
from jobs.bamboo.foresee import Chance, chances
from jobs.tasks_engine.scouts import Piece, needs
from jobs.tasks_engine.spec import TaskSpec
from jobs.tasks_engine.splitting import InFile, Rule, by_files, events_of
from monitor.words import plural

FILES = 5000  # of the input that are looked at
REASONS = 3  # of a cloud that are told


@dataclass(frozen=True, kw_only=True)
class CloudView:
    """What a cloud would say: `sites` of `asked` would take a job; else the commonest reasons."""

    name: str
    asked: int
    sites: Sequence[str]
    chosen: str = ""
    reasons: Sequence[tuple[str, int]] = ()  # sentence, sites

    @property
    def takes(self) -> bool:
        return bool(self.sites)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """How many jobs, in words, what one asks for, and the clouds.

    `chances`: what task brokerage says of each cloud, where the task names none.
    """

    jobs: int
    exact: bool
    words: str
    clouds: Sequence[CloudView]
    notes: Sequence[str]
    chances: Sequence[Chance] = ()

    @property
    def taken(self) -> bool:
        """Whether some cloud would take a job now."""
        return any(cloud.takes for cloud in self.clouds)


def preview(spec: TaskSpec, *, now: dt.datetime) -> Preview:
    """Of a task that is not registered; writes nothing."""
    files, more = _files(spec)
    jobs, piece = _cut(spec, files, more=more)
    first = [file.key for file in files[: piece.n_files]]
    choice = assign.explain(_needs(spec, piece), files=first, now=now)
    return Preview(
        jobs=jobs,
        exact=not more,
        words=_words(spec, jobs, files, more=more),
        clouds=_clouds(spec, choice),
        notes=[*_notes(spec, files)],
        chances=chances(spec, jobs=jobs, now=now) if spec.wants_cloud else (),
    )


def _files(spec: TaskSpec) -> tuple[list[InFile], bool]:
    """The first files of the input; whether there are more."""
    if not spec.inputs:
        return [], False
    members = DatasetFile.objects.filter(dataset__name__in=spec.inputs).order_by("pk")
    rows = members.values_list("file", "file__size", "file__events")[: FILES + 1]
    found = [InFile(key, size, events or 0) for key, size, events in rows]
    return found[:FILES], len(found) > FILES


def _cut(spec: TaskSpec, files: Sequence[InFile], *, more: bool) -> tuple[int, Piece]:
    """How many jobs there will be, and what the first of them has."""
    if not spec.inputs:
        jobs = math.ceil(spec.events / spec.events_per_job)
        return jobs, Piece(min(spec.events, spec.events_per_job), 0, 0)
    rule = Rule(files=spec.files_per_job, gb=spec.gb_per_job)
    groups = by_files(files, rule, more_to_come=False, most=FILES)
    first = groups[0] if groups else []
    piece = Piece(events_of(first), len(first), sum(f.size for f in first))
    if not more:
        return len(groups), piece
    whole = sum(Dataset.objects.filter(name__in=spec.inputs).values_list("n_files", flat=True))
    return math.ceil(len(groups) * max(1, whole / FILES)), piece


def _needs(spec: TaskSpec, piece: Piece) -> Needs:
    """What one of its jobs asks brokerage for."""
    asks = needs(spec, {}, piece)
    return Needs(
        label=spec.prod_source_label,
        cloud=spec.cloud or None,
        site=spec.site or None,
        vo=spec.vo,
        processing_type=spec.processing_type,
        priority=spec.priority,
        release=spec.atlas_release,
        cmt_config=spec.cmt_config,
        memory_mb=asks["min_ram_count"],
        disk_mb=asks["max_disk_count"],
        core_count=spec.core_count,
        wall_seconds=asks["max_cpu_count"],
        input_files=piece.n_files,
        total_input_files=piece.n_files,
    )


def _words(spec: TaskSpec, jobs: int, files: Sequence[InFile], *, more: bool) -> str:
    about = "about " if more else ""
    told = f"{about}{plural(jobs, 'job')}"
    if spec.inputs:
        known = f"more than {len(files):,} files" if more else plural(len(files), "file")
        return f"{told}, for {known} that its input has by now"
    return f"{told}, of {spec.events_per_job:,} events each"


def _notes(spec: TaskSpec, files: Sequence[InFile]) -> list[str]:
    notes = []
    if spec.scouts:
        notes.append(
            f"The first {spec.n_scouts} jobs are scouts: the rest waits for what they use."
        )
    if spec.inputs and not files:
        notes.append("The input has no files yet: the task waits for them.")
    if spec.wants_cloud:
        notes.append("It names no cloud: it waits until one is assigned.")
    if spec.merge:
        notes.append("The outputs are merged at the Tier-1.")
    return notes


def _clouds(spec: TaskSpec, choice: Choice) -> list[CloudView]:
    """Those that would take it first; each with the reasons of its sites."""
    homes: Mapping[str, str] = dict(Site.objects.values_list("name", "cloud__name"))
    there = Cloud.objects.order_by("name").values_list("name", flat=True)
    clouds = {name: _Sums() for name in ([spec.cloud] if spec.cloud else there)}
    for verdict in choice.verdicts:
        sums = clouds.get(homes.get(verdict.site, ""))
        if sums is None:
            continue
        sums.asked += 1
        if verdict.accepted:
            sums.sites.append(verdict.site)
        else:
            sums.reasons[verdict.reason] += 1
    views = [
        CloudView(
            name=name,
            asked=sums.asked,
            sites=sums.sites,
            chosen=choice.site if choice.site in sums.sites else "",
            reasons=sums.reasons.most_common(REASONS),
        )
        for name, sums in clouds.items()
    ]
    return sorted(views, key=lambda view: (not view.chosen, not view.takes, view.name))


class _Sums:
    """What the sites of a cloud say."""

    def __init__(self) -> None:
        self.asked = 0
        self.sites: list[str] = []
        self.reasons: Counter[str] = Counter()
