"""The page of a pilot: what it said of itself, and all jobs that it had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from jobs.models import AnyJob, AnyJobOutput, Pilot
from jobs.states import LEASED
from monitor import columns
from monitor.sheets import Sheet, column
from pandasite.base.errors import NotThere

MOST = 1000  # jobs of one pilot


@dataclass(frozen=True, kw_only=True)
class PilotJob:
    """A job that the pilot had last, with its error in words."""

    job: AnyJob

    panda_id = property(lambda self: self.job.pk)
    name = property(lambda self: self.job.job_name)
    state = property(lambda self: self.job.state)
    user = property(lambda self: self.job.prod_user_id)
    started = property(lambda self: self.job.start_time)
    ended = property(lambda self: self.job.end_time)
    cpu = property(lambda self: self.job.cpu_consumption_time)
    memory = property(lambda self: self.job.max_rss_mb)

    @property
    def error(self) -> str:
        """All of its errors."""
        return "; ".join(f"{c}:{code} {diag}" for c, code, diag in self.job.errors())


class PilotJobSheet(Sheet):
    """Jobs of a pilot."""

    panda_id = columns.link(
        "PandaID", "the job", url=lambda record: reverse("monitor:job", args=[record.panda_id])
    )
    state = column("State", "of the job now", kind=columns.WordColumn)
    name = column("Name", "of the job", look="cut")
    user = column("User", "prodUserID", look="cut short")
    started = columns.time("Started (UTC)", "when the payload began")
    ended = columns.time("Ended (UTC)", "when all was done")
    cpu = column("CPU", "time that it used", kind=columns.SpanColumn, look="n")
    memory = columns.number("Memory MB", "most that it used")
    error = column("Error", "codes and texts", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "It has had no job, or another pilot has taken over what it had."


def read(site: str, pilot_id: str) -> tuple[Pilot, Sequence[PilotJob]]:
    """A pilot, and the jobs that it was the last to have, the latest first; else NotThere."""
    pilot = Pilot.objects.select_related("site__cloud").filter(site__name=site, pilot_id=pilot_id)
    found = pilot.first()
    if found is None:
        raise NotThere(f"no pilot {pilot_id[:64]} has called from {site[:64]} in the last weeks")
    # Ended jobs have an index by pilot; live ones do not, since each claim would write it: those of
    # the site are looked through.
    jobs = AnyJob.objects.filter(pilot=found.pk, computing_site=found.site_id)
    latest = jobs.defer("job_parameters").order_by("-panda_id")[:MOST]
    return found, [PilotJob(job=job) for job in latest]


@dataclass(frozen=True, kw_only=True)
class Said:
    """The end of what the job of a pilot wrote: of the one that it has, else of its latest."""

    job: AnyJob
    live: bool
    output: AnyJobOutput | None

    @classmethod
    def of(cls, jobs: Sequence[PilotJob]) -> Said | None:
        """None where it had no job."""
        held = [one.job for one in jobs if one.state in LEASED]
        job = next(iter(held or [one.job for one in jobs]), None)
        return cls(job=job, live=bool(held), output=job.output) if job else None

    def as_json(self) -> dict[str, Any]:
        """The facts."""
        output = self.output
        return {
            "job": self.job.pk,
            "live": self.live,
            "stdout_tail": output.tail if output else None,
            "at": output.at if output else None,
        }


def no_job_percent(pilot: Pilot) -> float | None:
    """Calls that got no job, of all; None before the first."""
    return 100 * (pilot.claims - pilot.jobs) / pilot.claims if pilot.claims else None


def facts(pilot: Pilot, said: Said | None) -> dict[str, Any]:
    """What it said of itself, and what its job says now."""
    names = (
        "pilot_id", "node", "factory", "cpu_speed_mhz", "memory_mb", "free_disk_mb",
        "first_contact", "last_contact", "last_report", "claims", "jobs",
    )  # fmt: skip
    return {
        "site": pilot.site.name,
        **{name: getattr(pilot, name) for name in names},
        "no_job_percent": no_job_percent(pilot),
        "output": said.as_json() if said else None,
    }
