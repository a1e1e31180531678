"""How each kind of things is found, and where a find leads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q
from django.urls import NoReverseMatch, reverse

from brokerage.models import Cloud, Site
from datasets.models import DatasetFile, File
from jobs.models import ERROR_COMPONENTS, AnyJob, ErrorCode, Task
from monitor import menu
from monitor.production.engined import STATES
from monitor.rows import jobs_url
from monitor.search import names
from monitor.search.names import Slice
from monitor.search.parse import Asked

WINDOW = "24h"  # of jobs that a state or an error leads to


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A find: what it is called, where it leads, and what helps to tell it from others.

    exact: it is what was asked for, not something that begins so. page: `url` is its own page,
    not a list that it is in. key and name continue the list behind it.
    """

    key: int
    name: str
    url: str
    facts: Sequence[Any] = ()
    exact: bool = False
    page: bool = True
    state: str = ""


def page_or(page: str, otherwise: str, /, **kwargs: Any) -> tuple[str, bool]:
    """The address of a page and True; the other one and False where there is no such page."""
    try:
        return reverse(page, kwargs=kwargs), True
    except NoReverseMatch:
        return otherwise, False


def jobs(asked: Asked, wanted: Slice) -> list[Hit]:
    """By PandaID, and by the beginning of the job name."""
    found = []
    if asked.number is not None and wanted.behind < 0:
        for job in AnyJob.objects.select_related("computing_site").known(asked.number):
            site = job.computing_site.name if job.computing_site else ""
            found.append(_job(job.pk, job.job_name, job.state, site, job.creation_time, exact=True))
    rows = names.read(names.JOBS, wanted)
    sites = _names_of_sites(rows)
    return found + [
        _job(
            row["key"],
            row["name"],
            row["state"],
            sites.get(row["site_id"], ""),
            row["at"],
            exact=row["name"] == asked.text,
        )
        for row in rows
        if row["key"] != asked.number
    ]


def _job(key: int, name: str, state: str, site: str, at: dt.datetime, *, exact: bool) -> Hit:
    url = reverse("monitor:job", kwargs={"panda_id": key})
    return Hit(key=key, name=name, url=url, facts=[key, site, at], state=state, exact=exact)


def _names_of_sites(rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    keys = {row["site_id"] for row in rows if row["site_id"]}
    return dict(Site.objects.filter(pk__in=keys).values_list("pk", "name")) if keys else {}


def tasks(asked: Asked, wanted: Slice) -> list[Hit]:
    """By taskID, and by the beginning of the name."""
    found = []
    if asked.number is not None and wanted.behind < 0:
        for task in Task.objects.filter(pk=asked.number).select_related("owner"):
            owner = task.owner.get_username()
            found.append(_task(task.pk, task.name, owner, task.created_at, exact=True))
    return found + [
        _task(row["key"], row["name"], row["owner"], row["at"], exact=row["name"] == asked.text)
        for row in names.read(names.TASKS, wanted)
        if row["key"] != asked.number
    ]


def requests(asked: Asked, wanted: Slice) -> list[Hit]:
    """By number: its tasks, and the list of them where there are several."""
    if asked.number is None:
        return []
    found = Task.objects.filter(request_id=asked.number).select_related("owner").order_by("-pk")
    of_it = [
        _task(task.pk, task.name, task.owner.get_username(), task.created_at, exact=True)
        for task in found[: wanted.limit]
    ]
    if len(of_it) < 2:
        return of_it
    url = f"{reverse('monitor:tasks')}?request={asked.number}"
    every = Hit(key=0, name=f"request {asked.number}", url=url, facts=["", "", ""], exact=True)
    return [every, *(replace(hit, exact=False) for hit in of_it)][: wanted.limit]


def _task(key: int, name: str, owner: str, at: dt.datetime, *, exact: bool) -> Hit:
    url = reverse("monitor:task", kwargs={"task_id": key})
    return Hit(key=key, name=name, url=url, facts=[key, owner, at], exact=exact)


def datasets(asked: Asked, wanted: Slice) -> list[Hit]:
    """By the beginning of the name."""
    return [
        Hit(
            key=row["key"],
            name=row["name"],
            url=reverse("monitor:dataset", kwargs={"name": row["name"]}),
            facts=[row["type"], row["state"], row["at"]],
            exact=row["name"] == asked.text,
        )
        for row in names.read(names.DATASETS, wanted)
    ]


def files(asked: Asked, wanted: Slice) -> list[Hit]:
    """Files of the catalogue, by GUID and by the beginning of the LFN; they lead to their pages."""
    rows: list[dict[str, Any]] = []
    if asked.guid and wanted.behind < 0:
        known = File.objects.filter(guid__in={asked.guid, asked.guid.lower(), asked.guid.upper()})
        rows = [
            {"key": f.pk, "name": f.lfn, "scope": f.scope, "size": f.size, "guid": f.guid}
            for f in known.order_by("pk")[: wanted.limit]
        ]
    rows = rows or names.read(names.FILES, wanted)
    places = _datasets_of([row["key"] for row in rows])
    return [_file(row, places.get(row["key"], ""), asked) for row in rows]


def _file(row: dict[str, Any], dataset: str, asked: Asked) -> Hit:
    url = menu.place("monitor:file", row["scope"], row["name"])
    return Hit(
        key=row["key"],
        name=row["name"],
        url=url,
        facts=[row["scope"], row["size"], dataset],
        exact=asked.text in (row["name"], row["guid"]),
        page=bool(url),
    )


def _datasets_of(files: Sequence[int]) -> dict[int, str]:
    """The first dataset of each file."""
    members = DatasetFile.objects.filter(file__in=files).order_by("file", "pk").distinct("file")
    return dict(members.values_list("file", "dataset__name"))


def job_files(asked: Asked, wanted: Slice) -> list[Hit]:
    """Files that jobs read or make, by the beginning of the LFN; they lead to the job."""
    return [
        Hit(
            key=row["key"],
            name=row["name"],
            url=reverse("monitor:job", kwargs={"panda_id": row["job_id"]}),
            facts=[row["job_id"], row["type"], row["status"]],
            exact=row["name"] == asked.text,
            page=False,
        )
        for row in names.read(names.JOB_FILES, wanted)
    ]


def sites(asked: Asked, wanted: Slice) -> list[Hit]:
    """By any part of the name; there are some hundreds."""
    found = Site.objects.select_related("cloud").filter(name__icontains=asked.text)
    return [
        Hit(
            key=site.pk,
            name=site.name,
            url=reverse("monitor:site", kwargs={"name": site.name}),
            facts=[site.cloud.name, site.status],
            exact=site.name.lower() == asked.text.lower(),
        )
        for site in found.order_by("name")[: wanted.limit]
    ]


def clouds(asked: Asked, wanted: Slice) -> list[Hit]:
    """By the beginning of the name."""
    hits = []
    found = Cloud.objects.filter(name__istartswith=asked.text).order_by("name")
    for cloud in found[: wanted.limit]:
        url, page = page_or("monitor:cloud", jobs_url(cloud=cloud.name), name=cloud.name)
        exact = cloud.name.lower() == asked.text.lower()
        hits.append(
            Hit(
                key=cloud.pk, name=cloud.name, url=url, page=page, exact=exact, facts=[cloud.status]
            )
        )
    return hits


def users(asked: Asked, wanted: Slice) -> list[Hit]:
    """By the beginning of the user name; pilots are none."""
    hits = []
    for row in names.read(names.USERS, wanted):
        url, page = page_or("monitor:user", jobs_url(user=row["name"]), name=row["name"])
        exact = row["name"] == asked.text
        hits.append(Hit(key=row["key"], name=row["name"], url=url, page=page, exact=exact))
    return hits


def nodes(asked: Asked, wanted: Slice) -> list[Hit]:
    """By the beginning of the name of the host."""
    rows = names.read(names.NODES, wanted)
    places, hits = _names_of_sites(rows), []
    for row in rows:
        site = places.get(row["site_id"], "")
        otherwise = jobs_url(node=row["name"], site=site)
        url, page = page_or("monitor:node", otherwise, site=site, node=row["name"])
        seen = max(filter(None, [row["last_claim"], row["last_report"]]), default=None)
        exact = row["name"] == asked.text
        hits.append(
            Hit(
                key=row["key"],
                name=row["name"],
                url=url,
                page=page,
                exact=exact,
                facts=[site, seen],
            )
        )
    return hits


def errors(asked: Asked, wanted: Slice) -> list[Hit]:
    """By component and code (`pilot:1099`), by the code alone, and by a word of the meaning."""
    if asked.code is not None and asked.component in ERROR_COMPONENTS:
        name = f"{asked.component}:{asked.code}"
        known = ErrorCode.objects.filter(component=asked.component, code=asked.code).first()
        meaning = known.meaning if known else "no meaning is known"
        return [Hit(key=0, name=name, url=_failed(name), facts=[meaning], exact=True)]
    called = Q(meaning__icontains=asked.text) | Q(acronym__icontains=asked.text)
    if asked.number is not None:
        called = Q(code=asked.number) if asked.number < 2**31 else Q(pk=None)
    return [
        Hit(
            key=code.pk,
            name=f"{code.component}:{code.code}",
            url=_failed(f"{code.component}:{code.code}"),
            facts=[code.meaning],
            page=False,
        )
        for code in ErrorCode.objects.filter(called)[: wanted.limit]
    ]


def _failed(error: str) -> str:
    return jobs_url(state="failed", error=error, ended=WINDOW)


def task_states(asked: Asked, wanted: Slice) -> list[Hit]:
    """Tasks in the state of that name."""
    state = asked.text.lower()
    if state not in STATES:
        return []
    url = f"{reverse('monitor:tasks')}?status={state}"
    return [Hit(key=0, name=state, url=url, exact=not asked.state)]


def states(asked: Asked, wanted: Slice) -> list[Hit]:
    """Jobs of the last day in the state of that name."""
    if not asked.state:
        return []
    url = jobs_url(state=asked.state, window=WINDOW)
    return [Hit(key=0, name=asked.state, url=url, state=asked.state, exact=True)]
