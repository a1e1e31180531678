"""Sheets of users, of usage against quotas, and of usage by day."""

from __future__ import annotations

from collections.abc import Callable

from monitor import columns
from monitor.people.sums import NEAR, Used
from monitor.rows import jobs_url
from monitor.sheets import Sheet, column


def _ended(state: str) -> Callable[[Used], str]:
    return lambda record: jobs_url(user=record.name, state=state, ended="24h")


class UserSheet(Sheet):
    """Users with their jobs and CPU time."""

    name = columns.link(
        "User", "prodUserID of the jobs; the user's page", url=lambda record: record.url
    )
    latest = columns.time("Latest (UTC)", "last end or change of state of a job")
    waiting = columns.number("Waiting", "jobs that no pilot has yet")
    running = columns.number("Running", "jobs that a pilot has, or whose outputs are on the way")
    finished = columns.number("Finished", "within 24 hours", url=_ended("finished"))
    failed = columns.number("Failed", "within 24 hours", url=_ended("failed"))
    cancelled = columns.number("Cancelled", "within 24 hours", url=_ended("cancelled"))
    failed_pct = columns.percent("Failed %", "failed / (finished + failed) within 24 hours")
    sites = columns.number("Sites", "at which jobs ended within 30 days")
    cpu_1 = columns.hours("CPU h, 1 d", "CPU hours of jobs that ended within 24 hours")
    cpu_7 = columns.hours("CPU h, 7 d", "of 7 days and today")
    cpu_30 = columns.hours("CPU h, 30 d", "of 30 days and today")
    verdict = column(
        "Quota",
        f"CPU hours of 30 days against the user's quota; near: {NEAR} % and more",
        kind=columns.WordColumn,
        start="word word-",
    )

    class Meta(Sheet.Meta):
        empty_text = "No job has ended within 30 days, and none is under way."


class QuotaSheet(Sheet):
    """Usage against quotas."""

    name = columns.link(
        "Name", "user or working group, as jobs name it", url=lambda record: record.url
    )
    cpu_1 = columns.hours("CPU h, 1 d", "CPU hours of jobs that ended within 24 hours")
    cpu_7 = columns.hours("CPU h, 7 d", "of 7 days and today")
    cpu_30 = columns.hours("CPU h, 30 d", "of 30 days and today: what the quota is of")
    wall_30 = columns.hours("Wall h, 30 d", "from the start of the last attempt to its end")
    quota_s = columns.hours("Quota h", "CPU hours in 30 days; empty: none is set")
    quota_pct = column(
        "Used",
        "of the quota; the bar: used, beyond the quota, left",
        kind=columns.BarColumn,
        parts=lambda record: record.quota_parts,
    )
    verdict = column(
        "Verdict",
        f"near: {NEAR} % and more; over: more than the quota. Nothing is refused for it",
        kind=columns.WordColumn,
        start="word word-",
    )
    note = column("Note", "the administrator's note on the quota", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "Nothing was used within 30 days, and no quota is set."


class DailySheet(Sheet):
    """What ended on each day."""

    day = column("Day (UTC)", "on which the jobs ended", kind=columns.DayColumn)
    value = columns.link("Name", "what the table groups by", url=lambda record: record.url)
    jobs = columns.number("Jobs", "that ended", url=lambda record: record.jobs_url)
    finished = columns.number("Finished", "of those")
    failed = columns.number("Failed", "of those")
    cancelled = columns.number("Cancelled", "of those")
    failed_pct = columns.percent("Failed %", "failed / (finished + failed)")
    wall_s = columns.hours("Wall h", "from the start of the last attempt to its end")
    cpu_s = columns.hours("CPU h", "as pilots reported it")
    efficiency = columns.percent("CPU / wall", "more than 100 % where jobs use several cores")

    class Meta(Sheet.Meta):
        empty_text = "No job ended within the window."
