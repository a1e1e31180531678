"""A small grid with failures of several kinds, for the pages of errors and nodes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from brokerage.models import Site
from jobs import ends
from jobs.models import Job
from tests.builders import NOW, create_cloud, create_job, create_pilot, create_site

DISK = "could not write /scratch/{n}/EVNT._{n:05}.pool.root on wn{n}.bnl.gov: errno 28"


@dataclass(frozen=True)
class Grid:
    """Two sites: BNL in US (OSG), LYON in FR (EGEE)."""

    bnl: Site
    lyon: Site
    disk: list[Job]  # 12 of one message, at BNL's black hole
    heartbeat: list[Job]  # 3 at LYON


def make_grid(*, now: dt.datetime = NOW) -> Grid:
    bnl = create_site("BNL", cloud=create_cloud("US"), flavour="OSG")
    lyon = create_site("LYON", cloud=create_cloud("FR"), flavour="EGEE")
    hour = now - dt.timedelta(hours=1)

    def job(state: str, **columns: Any) -> Job:
        defaults = {"start_time": hour - dt.timedelta(hours=1), "processing_type": "simul"}
        return create_job(state, at=hour, **defaults | columns)

    for site, node in ((bnl, "wn1.bnl.gov"), (bnl, "hole.bnl.gov"), (lyon, "wn1.in2p3.fr")):
        create_pilot(site, node=node, last_contact=now)
    for _ in range(40):
        job("finished", site=bnl, node="wn1.bnl.gov", cpu_consumption_time=3000)
    disk = [
        job("failed", site=bnl, node="hole.bnl.gov", pilot_error_code=1137,
            pilot_error_diag=DISK.format(n=n), cpu_consumption_time=1800)
        for n in range(12)
    ]  # fmt: skip
    heartbeat = [
        job("failed", site=lyon, node="wn1.in2p3.fr", job_dispatcher_error_code=100,
            job_dispatcher_error_diag="lost heartbeat", prod_source_label="user",
            processing_type="analysis")
        for _ in range(3)
    ]  # fmt: skip
    job("failed", site=lyon, node="wn1.in2p3.fr")
    job("finished", site=lyon, node="wn1.in2p3.fr")
    create_job("running", site=bnl, at=now, node="hole.bnl.gov")
    ends.fold(now)
    return Grid(bnl=bnl, lyon=lyon, disk=disk, heartbeat=heartbeat)
