"""The page of a dataset: where its files are, who wants it where, and whose jobs use it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Sum

from datasets.browsing import BLOCKS
from datasets.models import ContainerMember, Dataset, Replica
from jobs.models import JobFile, Task
from jobs.states import FINAL
from monitor import menu
from monitor.catalogue import filematrix, wishes
from monitor.catalogue.filematrix import FileLine, Trouble
from monitor.catalogue.users import Use, used_by
from monitor.catalogue.wishes import Wish
from pandasite.base.errors import NotThere

FILES_SHOWN = 100
COUNTED = 5000  # files of a dataset that are added up anew for its page
FILES_ASKED = 20  # whose jobs are looked for in the archive
SUBS_SHOWN = 50
TROUBLES_SHOWN = 50
PARTS_SHOWN = 200
JOBS_COUNTED = 20_000


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Files, bytes, events and lost files; `kept` is when they were counted, None: just now."""

    files: int
    bytes: int
    events: int
    lost: int
    kept: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class DatasetPage:
    """A dataset and a page of its files."""

    dataset: Dataset
    sums: Sums
    copies: Sequence[tuple[str, int, int]]  # storage element, files, bytes
    places: Sequence[str]  # columns of the matrix
    places_left_out: int
    files: Sequence[FileLine]
    after: int | None  # continues the list of files
    wishes: Sequence[Wish]
    subs: Sequence[Dataset]
    parts: Sequence[Dataset]  # of a container: the first of its datasets
    tasks: Sequence[tuple[Task, Mapping[str, int]]]
    jobs: Mapping[str, int]  # live ones, by how they use it
    uses: Sequence[Use]
    preview: FileLine | None

    @property
    def troubles(self) -> Sequence[Trouble]:
        """What is in the way of the files of this page: the first TROUBLES_SHOWN."""
        return filematrix.troubles(self.files, self.places)[:TROUBLES_SHOWN]

    @property
    def preview_url(self) -> str:
        """The picture or the histograms of one of its files."""
        if self.preview is None:
            return ""
        file = self.preview.file
        return menu.place(f"monitor:file_{self.preview.preview}", file.scope, file.lfn)

    def as_json(self) -> dict[str, Any]:
        """The facts; sizes in bytes."""
        dataset = self.dataset
        names = (
            "name", "type", "state", "project", "category", "data_type", "scope", "metadata",
            "created_at", "state_changed_at", "expires_at", "aborted_at", "aborted_reason",
        )  # fmt: skip
        return {
            **{name: getattr(dataset, name) for name in names},
            "owner": dataset.owner.get_username() if dataset.owner else None,
            "parent": dataset.parent.name if dataset.parent else None,
            "n_files": self.sums.files,
            "n_bytes": self.sums.bytes,
            "n_events": self.sums.events,
            "n_lost": self.sums.lost,
            "counted_at": self.sums.kept,
            "copies": [{"storage": s, "files": n, "bytes": b} for s, n, b in self.copies],
            "subscriptions": [wish.as_json() for wish in self.wishes],
            "subs": [sub.name for sub in self.subs],
            "datasets": [part.name for part in self.parts],
            "tasks": [{"task": task.pk, "name": task.name, **n} for task, n in self.tasks],
            "live_jobs": dict(self.jobs),
            "jobs": [use.as_json() for use in self.uses],
            "files": [line.as_json(self.places) for line in self.files],
            "after": self.after,
        }


def read(name: str, *, after: int, now: dt.datetime) -> DatasetPage:
    """A dataset by name, its files behind the key `after`; NotThere when there is none."""
    related = ("parent", "source", "destination", "owner")
    dataset = Dataset.objects.select_related(*related).filter(name=name).first()
    if dataset is None:
        raise NotThere(f"there is no dataset {name[:80]}")
    behind = dataset.files.filter(pk__gt=after).order_by("pk")
    files = list(behind[: FILES_SHOWN + 1])
    if after and not files:
        raise NotThere(f"{name[:80]} has no files behind {after}: that was its end")
    shown = files[:FILES_SHOWN]
    places, lines, left_out = filematrix.read(dataset, shown)
    jobs, tasks = _live_jobs(dataset)
    uses, _more = used_by([(one.scope, one.lfn) for one in shown[:FILES_ASKED]])
    wanted = dataset.subscriptions.select_related("storage", "dataset").order_by("pk")
    return DatasetPage(
        dataset=dataset,
        sums=_sums(dataset),
        copies=_copies(dataset),
        places=places,
        places_left_out=left_out,
        files=lines,
        after=shown[-1].pk if len(files) > FILES_SHOWN else None,
        wishes=wishes.described(list(wanted[: wishes.SHOWN]), now=now),
        subs=list(dataset.subs.order_by("pk")[:SUBS_SHOWN]),
        parts=_parts(dataset),
        tasks=_tasks(tasks, uses),
        jobs=jobs,
        uses=uses[:50],
        preview=filematrix.first_preview(lines),
    )


def _parts(dataset: Dataset) -> list[Dataset]:
    if dataset.type != Dataset.Type.CONTAINER:
        return []
    members = ContainerMember.objects.filter(container=dataset).order_by("pk")
    return [one.dataset for one in members.select_related("dataset")[:PARTS_SHOWN]]


def _sums(dataset: Dataset) -> Sums:
    """Anew while it is small, or is a block, of which no sums are kept."""
    kept = dataset.summed_at if dataset.n_files > COUNTED else None
    if kept:
        return Sums(
            files=dataset.n_files,
            bytes=dataset.n_bytes,
            events=dataset.n_events,
            lost=dataset.n_lost,
            kept=kept,
        )
    whole = dataset.files.aggregate(n=Count("pk"), size=Sum("size"), events=Sum("events"))
    return Sums(
        files=whole["n"],
        bytes=int(whole["size"] or 0),
        events=int(whole["events"] or 0),
        lost=dataset.n_lost,
        kept=None,
    )


def _copies(dataset: Dataset) -> list[tuple[str, int, int]]:
    """As the sweep left them; of a block, counted now."""
    if dataset.type not in BLOCKS:
        rows = dataset.copies.select_related("storage").order_by("-files", "storage__name")
        return [(one.storage.name, one.files, one.bytes) for one in rows]
    found = Replica.objects.filter(file__memberships__dataset=dataset, state="available")
    counted = found.order_by().values("storage__name").annotate(n=Count("pk"), b=Sum("file__size"))
    return sorted((row["storage__name"], row["n"], int(row["b"])) for row in counted)


def _live_jobs(dataset: Dataset) -> tuple[dict[str, int], Counter[int]]:
    """Jobs that have not ended by how they use it, and by task: of JOBS_COUNTED files at most."""
    of_it = (
        JobFile.objects.filter(block=dataset)
        if dataset.type in BLOCKS
        else (JobFile.objects.filter(dataset=dataset))
    )
    live = of_it.exclude(job__state__in=FINAL).order_by()
    some = {*live.values_list("type", "job_id", "job__task_id")[:JOBS_COUNTED]}
    uses = Counter(kind for kind, _job, _task in some)
    tasks = Counter(task for _job, task in {(job, task) for _kind, job, task in some} if task)
    return dict(uses), tasks


def _tasks(live: Counter[int], uses: Sequence[Use]) -> list[tuple[Task, Mapping[str, int]]]:
    """The tasks of its jobs, with live jobs of theirs that use it."""
    keys = [key for key, _n in live.most_common(20)]
    keys += [use.task for use in uses if use.task and use.task not in keys][:20]
    found = Task.objects.in_bulk(set(keys))
    return [(found[key], {"live_jobs": live[key]}) for key in dict.fromkeys(keys) if key in found]
