"""What the admin keeps, to be read by everybody: one table for each kind of thing."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import django
from django.conf import settings
from django.db.models import Count, Q
from django.urls import NoReverseMatch, reverse

from brokerage.models import Cloud, Release, Site
from datasets.models import GB, SiteStorage, StorageElement
from jobs.models import ErrorCode
from monitor.operations.tables import (
    CloudSheet,
    ErrorSheet,
    ReleaseSheet,
    SettingSheet,
    SiteSheet,
    StorageSheet,
)
from monitor.sheets import Sheet
from pandasite import __version__

UNITS = ("SECONDS", "MINUTES", "HOURS", "DAYS")
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A kind of thing: its table, and the permission and the admin page of those who edit it."""

    title: str
    about: str
    sheet: type[Sheet]
    rows: Callable[[], Sequence[Row]]
    count: Callable[[], int]
    admin: str = ""
    permission: str = ""

    def admin_url(self, user: Any) -> str:
        """Where this user may edit it; empty when they may not."""
        if not (self.admin and user.is_staff and user.has_perm(self.permission)):
            return ""
        try:
            return reverse(f"admin:{self.admin}_changelist")
        except NoReverseMatch:
            return ""


def _clouds() -> list[Row]:
    found = Cloud.objects.select_related("tier1").annotate(n=Count("sites"))
    return [
        {
            "name": cloud.name,
            "url": reverse("monitor:cloud", args=[cloud.name]),
            "tier1": cloud.tier1.name if cloud.tier1 else "",
            "status": cloud.status,
            "sites": cloud.n,
            "weight": cloud.weight,
            "fasttrack": cloud.fasttrack,
            "validation": cloud.validation,
            "releases_checked": cloud.releases_checked,
            "reprocessing_at_tier1": cloud.reprocessing_at_tier1,
        }
        for cloud in found
    ]


def _sites() -> list[Row]:
    local = SiteStorage.objects.filter(role=SiteStorage.Role.LOCAL)
    storages = dict(local.values_list("site", "storage__name"))
    names = (
        "name", "tier", "type", "flavour", "status", "slots", "job_cap", "max_core_count",
        "memory_mb", "cpu_speed_mhz", "wall_seconds", "scratch_mb",
    )  # fmt: skip
    return [
        {name: getattr(site, name) for name in names}
        | {
            "url": reverse("monitor:site", args=[site.name]),
            "cloud": site.cloud.name,
            "vos": ", ".join(vo.name for vo in site.vos.all()),
            "storage": storages.get(site.pk, ""),
        }
        for site in Site.objects.select_related("cloud").prefetch_related("vos")
    ]


def _releases() -> list[Row]:
    found = Release.objects.annotate(
        n=Count("installed"), good=Count("installed", filter=Q(installed__validated=True))
    )
    return [
        {
            "name": release.atlas_release,
            "cmt_config": release.cmt_config,
            "sites": release.n,
            "validated": release.good,
        }
        for release in found
    ]


def _storage() -> list[Row]:
    """Without the addresses: those are for pilots and administrators."""
    return [
        {
            "name": element.name,
            "kind": element.kind,
            "space_token": element.space_token,
            "capacity_gb": round(element.capacity_bytes / GB, 1),
            "threshold_gb": element.threshold_gb,
            "free_gb": None if element.free_gb is None else round(element.free_gb, 1),
            "measured_at": element.measured_at,
            "sites": ", ".join(sorted(site.name for site in element.sites.all())),
        }
        for element in StorageElement.objects.prefetch_related("sites")
    ]


def _errors() -> list[Row]:
    names = ("component", "code", "source", "acronym", "meaning", "do_not_retry")
    return [*ErrorCode.objects.values(*names)]


def _settings() -> list[Row]:
    """The numbers that an administrator may set, and what this process is. No secrets."""
    limits = [
        {"name": f"PANDASITE_{name}", "value": value, "unit": _unit(name)}
        for name, value in sorted(settings.PANDASITE.items())
    ]
    facts = {
        "PANDASITE_HOST": settings.PANDASITE_HOST,
        "PANDASITE_MONITOR_PUBLIC": "on" if settings.PANDASITE_MONITOR_PUBLIC else "off",
        "servers": "embedded" if settings.PANDASITE_EMBEDDED else "external",
        "version": __version__,
        "Django": django.get_version(),
        "Python": platform.python_version(),
    }
    return limits + [{"name": name, "value": text, "unit": ""} for name, text in facts.items()]


def _unit(name: str) -> str:
    return next((unit.lower() for unit in UNITS if unit in name.split("_")), "")


PARTS: dict[str, Part] = {
    "clouds": Part(
        title="Clouds",
        about="a Tier-1 and the sites around it: the unit that production tasks are given to",
        sheet=CloudSheet,
        rows=_clouds,
        count=Cloud.objects.count,
        admin="brokerage_cloud",
        permission="brokerage.view_cloud",
    ),
    "sites": Part(
        title="Sites",
        about="queues at computing sites, with what a job slot offers",
        sheet=SiteSheet,
        rows=_sites,
        count=Site.objects.count,
        admin="brokerage_site",
        permission="brokerage.view_site",
    ),
    "releases": Part(
        title="Releases",
        about="software that jobs ask for, and where it is installed",
        sheet=ReleaseSheet,
        rows=_releases,
        count=Release.objects.count,
        admin="brokerage_release",
        permission="brokerage.view_release",
    ),
    "storage": Part(
        title="Storage elements",
        about="places for files, and who uses them",
        sheet=StorageSheet,
        rows=_storage,
        count=StorageElement.objects.count,
        admin="datasets_storageelement",
        permission="datasets.view_storageelement",
    ),
    "errors": Part(
        title="Error codes",
        about="what each code of each component means",
        sheet=ErrorSheet,
        rows=_errors,
        count=ErrorCode.objects.count,
        admin="jobs_errorcode",
        permission="jobs.view_errorcode",
    ),
    "settings": Part(
        title="Settings",
        about="numbers from the environment, which the administrator of the machine sets",
        sheet=SettingSheet,
        rows=_settings,
        count=lambda: len(_settings()),
    ),
}


def overview(user: Any, *, path: str) -> list[Row]:
    """A line for each part, with the address of its table and, for who may edit it, the admin."""
    lines = []
    for key, part in PARTS.items():
        admin_url = part.admin_url(user)
        lines.append(
            {
                "title": part.title,
                "entries": part.count(),
                "about": part.about,
                "edit": "admin" if admin_url else "",
                "url": f"{path}?what={key}",
                "admin_url": admin_url,
            }
        )
    return lines
