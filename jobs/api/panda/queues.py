"""Queues and storage as pilots read them: `/cache/schedconfig/` and `/cache/ddmendpoints.json`.

They are read without a token, before a pilot has anything else: so they tell what a pilot needs and
nothing more, and of an address of a storage element no user and no password.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from brokerage.models import Site
from datasets.models import SiteStorage, StorageElement
from pandasite.base.errors import NotThere
from pandasite.base.problems import ProblemResponse, problem_of
from pandasite.base.views import json_answer

# Which program of the pilot copies from and to an address that begins so.
COPYTOOLS: Final = {"file": "mv", "root": "xrdcp", "s3": "s3"}
OTHER_COPYTOOL: Final = "gfal"
TYPES: Final = {"production": "production", "analysis": "analysis", "both": "unified"}
READING: Final = ("pr", "pl", "read_lan", "read_wan")
WRITING: Final = ("pw", "pl", "write_lan", "write_wan")
# `mv` puts each file to its place in the storage, and reads it there.
TO_ITS_PLACE: Final = "mv_final_destination"
SCRATCH_MB = 20_000  # where the site says nothing of it; a pilot wants some number


@require_safe
def queue_view(_request: HttpRequest, name: str) -> HttpResponse:
    """One queue, as `--queuedata-url` has it."""
    return _one(name, keyed=False)


@require_safe
def keyed_queue_view(_request: HttpRequest, name: str) -> HttpResponse:
    """The same by its name, as LOCAL_AGIS_SCHEDCONF has it."""
    return _one(name, keyed=True)


@require_safe
def queues_view(_request: HttpRequest) -> HttpResponse:
    """All queues by name."""
    return json_answer(all_queues())


@require_safe
def storages_view(_request: HttpRequest) -> HttpResponse:
    """All storage elements by name, as `--storagedata-url` has them."""
    links = SiteStorage.objects.filter(role=SiteStorage.Role.LOCAL).values_list(
        "storage", "site__name"
    )
    sites = dict(links.order_by("-site__name"))
    return json_answer(
        {se.name: _storage(se, sites.get(se.pk, "")) for se in StorageElement.objects.all()}
    )


def _one(name: str, *, keyed: bool) -> HttpResponse:
    found = all_queues(name)
    if name not in found:
        return ProblemResponse(problem_of(NotThere(f"there is no queue {name[:64]}")))
    return json_answer(found if keyed else found[name])


def all_queues(name: str = "") -> dict[str, dict[str, Any]]:
    """Queue data by name, of all sites or of one."""
    sites = Site.objects.select_related("cloud").order_by("name")
    if name:
        sites = sites.filter(name=name)
    links = SiteStorage.objects.filter(site__in=sites).select_related("storage")
    by_site: dict[int, list[SiteStorage]] = {}
    for link in links.order_by("role", "storage__name"):  # the local one first
        by_site.setdefault(link.site_id, []).append(link)
    return {site.name: _queue(site, by_site.get(site.pk, [])) for site in sites}


def _queue(site: Site, links: list[SiteStorage]) -> dict[str, Any]:
    local = [link.storage for link in links if link.role == SiteStorage.Role.LOCAL]
    readable = [link.storage for link in links]
    tools = list(dict.fromkeys(_copytool(storage) for storage in readable)) or ["mv"]
    return {
        "name": site.name,
        "nickname": site.name,
        "panda_resource": site.name,
        "siteid": site.name,
        "gstat": site.name,
        "atlas_site": site.name,
        "cloud": site.cloud.name,
        "type": TYPES[site.type],
        # A pilot leaves at once a queue that is not ACTIVE; who gets no job, and why, says getJob.
        "state": "ACTIVE",
        "status": site.status,
        "corecount": max(site.max_core_count, 1),
        "maxrss": site.memory_mb,
        "maxtime": site.wall_seconds,
        "maxwdir": site.scratch_mb or SCRATCH_MB,
        "timefloor": 0,
        "catchall": TO_ITS_PLACE,
        "copytools": {tool: {"setup": ""} for tool in tools},
        "acopytools": dict.fromkeys(("pr", "pw", "pl", "default"), tools),
        "astorages": _activities(readable, local),
        "params": {"internet_protocol_version": "IPv4"},
    }


def _activities(
    readable: Iterable[StorageElement], local: Iterable[StorageElement]
) -> dict[str, list[str]]:
    to_read = {activity: [se.name for se in readable] for activity in READING}
    return to_read | {activity: [se.name for se in local] for activity in WRITING}


def _storage(storage: StorageElement, site: str) -> dict[str, Any]:
    endpoint, path = _address(storage.url)
    protocol = {"endpoint": endpoint, "path": path, "flavour": "", "id": storage.pk}
    return {
        "id": storage.pk,
        "name": storage.name,
        "state": "ACTIVE",
        "site": site,
        "type": "TAPE" if storage.kind == StorageElement.Kind.TAPE else "DATADISK",
        "token": storage.space_token,
        "is_deterministic": True,
        "arprotocols": {activity: [protocol] for activity in dict.fromkeys((*READING, *WRITING))},
    }


def _copytool(storage: StorageElement) -> str:
    return COPYTOOLS.get(urlsplit(storage.url).scheme, OTHER_COPYTOOL)


def _address(url: str) -> tuple[str, str]:
    """(scheme and host, path) with a slash at the end of the path, and nobody's name in it."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/") + "/"
    if parts.scheme == "file":
        return "file://localhost", path
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}", path
