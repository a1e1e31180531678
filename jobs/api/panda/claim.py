"""A pilot's question for jobs, in the words of `acquire_jobs`, as facts that our claim knows."""

from __future__ import annotations

from typing import Final

from brokerage.models import InstalledRelease, Release, Site
from jobs import kept_leases
from jobs.api.panda.fields import INT32, Said
from jobs.api.pilot import must_be_at
from jobs.dispatch import N_JOBS_MAX, Claimed, Facts
from jobs.identity import Caller
from jobs.labels import LABELS

LEGACY: Final = {
    "site_name": "siteName",
    "memory": "mem",
    "disk_space": "diskSpace",
    "prod_source_label": "prodSourceLabel",
    "n_jobs": "nJobs",
    "computing_element": "computingElement",
    "scheduler_id": "schedulerID",
}
PRODUCTION: Final = ("managed", "test", "prod_test", "install", "software")
# PanDA's words for what a pilot takes; `ddm` jobs go to movers of data alone.
KINDS: Final = {
    "": (*PRODUCTION, "user", "panda"),
    "unified": (*PRODUCTION, "user", "panda"),
    "managed": PRODUCTION,
    "user": ("user", "panda"),
    "panda": ("user", "panda"),
    "ptest": ("test",),
    "rc_test": ("test",),
    "rc_test2": ("test",),
    "rc_alrb": ("test",),
} | {label: (label,) for label in LABELS if label not in ("managed", "user", "panda")}
NODE_MAX = 128
CPU_MAX = 1_000_000


def claim(caller: Caller, said: Said) -> Claimed:
    """Jobs for this pilot, or none with the reason. Raises BadInput, NotThere and NotAllowed."""
    must_be_at(said.text("site_name", most=64, needed=True), caller)
    n_jobs = said.whole("n_jobs", low=1, high=N_JOBS_MAX) or 1
    return kept_leases.claim(caller=caller, facts=_facts(caller, said), n_jobs=n_jobs)


def node_of(said: Said) -> str:
    """The node that a call names."""
    return said.text("node", most=NODE_MAX)


def _facts(caller: Caller, said: Said) -> Facts:
    """What the pilot does not say of itself, its site says: releases, cores, and any measure."""
    site = Site.objects.get(pk=caller.site_id)
    node = said.text("node", most=NODE_MAX, needed=True)
    factory = said.text("harvester_id", most=64) or said.text("scheduler_id", most=64)
    worker = said.text("worker_id", most=32)
    label = "" if said.value("prod_source_label") is None else said.one_of(
        "prod_source_label", KINDS, code="unknown_label"
    )  # fmt: skip
    return Facts(
        node=node,
        # It has no name before its first update: one of a batch system, else that of its node.
        pilot_id=(f"{factory}:{worker}" if worker else node)[:64],
        factory=factory,
        cpu_speed_mhz=_measure(said, "cpu", CPU_MAX, site.cpu_speed_mhz),
        memory_mb=_measure(said, "memory", INT32, site.memory_mb),
        free_disk_mb=_measure(said, "disk_space", INT32, site.scratch_mb),
        core_count=max(site.max_core_count, 1),
        releases=_releases(site),
        labels=KINDS[label],
    )


def _measure(said: Said, name: str, most: int, of_site: int) -> int:
    """As the pilot says, else as the site has it; 0 there is no limit."""
    value = said.whole(name, low=0, high=most)
    return value or of_site or most


def _releases(site: Site) -> tuple[tuple[str, str], ...]:
    installed = Release.objects.filter(
        pk__in=InstalledRelease.objects.filter(site=site).values("release")
    )
    return tuple((release.atlas_release, release.cmt_config) for release in installed)
