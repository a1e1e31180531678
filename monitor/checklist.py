"""The shift checklist that goes through itself: each check with what it found. Pure.

A shifter used to walk through it by hand: are the servers alive, is there work to hand out, does
it pile up anywhere, does a site fail or idle, is there space. See docs/shift.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from brokerage.models import BannedNode, Site
from jobs.counts import HANDED_OUT
from jobs.states import LEASED, JobState
from monitor import attention
from monitor.attention import Item, few
from monitor.ddm import attention as moves
from monitor.ddm.lately import GOOD, HOURS
from monitor.queries import Facts, TopError
from monitor.rows import FAILURE_PERCENT, FEW_JOBS, Row, jobs_url
from monitor.servers import Lamp, Sweep
from monitor.space import FULL_PERCENT, OLD_HOURS, SpaceLine, space_line
from monitor.words import IDLE_HOURS, STALE_HOURS, ago, plural

PILE_JOBS = 200  # fewer are no pile
PILE_SHARE = 3  # times as many as run at the same place
MANY_PILOTS = 10  # fewer that find nothing are no waste
WAITS = (JobState.DEFINED, JobState.WAITING, JobState.ASSIGNED, JobState.ACTIVATED)
NEXT_FOR_PILE = {
    JobState.WAITING: "open a few: each names the input file that is missing; ask its owner",
    JobState.ASSIGNED: "look at the transfers of their input to the site",
    JobState.TRANSFERRING: "look at the transfers of their output to its destination",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the list: what is looked at, what is so when all is well, what was found."""

    title: str
    well: str
    items: Sequence[Item]

    @property
    def state(self) -> str:
        """As a lamp: ok, late (somebody should look) or failed (work is not done)."""
        if not self.items:
            return "ok"
        return "failed" if any(item.level == "alert" for item in self.items) else "late"

    @property
    def found(self) -> str:
        """The outcome in words."""
        return plural(len(self.items), "thing") + " to look at" if self.items else self.well

    def as_json(self) -> dict[str, Any]:
        """The facts; the items themselves are listed apart."""
        return {"title": self.title, "state": self.state, "found": self.found}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the checks look at: what was read, and what the dashboard has made of it."""

    facts: Facts
    rows: Mapping[tuple[int, int], Row]
    tops: Mapping[int, TopError]
    sweeps: Sequence[Sweep]
    lamps: Sequence[Lamp]
    stale: Iterable[tuple[str, int]]


def checklist(seen: Seen) -> list[Check]:
    """All checks, in the order of a shift. A table: one line per check, so it may be long."""
    facts, rows = seen.facts, seen.rows
    hours = f"{STALE_HOURS[JobState.RUNNING]} h, transferring {STALE_HOURS[JobState.TRANSFERRING]}"
    lines: list[tuple[str, str, Iterable[Item]]] = [
        ("Servers", "every process gives signs of life", attention.servers(seen.lamps)),
        ("Sweeps", "each is on time and went well", attention.sweeps_on_time(seen.sweeps, facts)),
        (
            "Clouds",
            "all are online",
            few(attention.clouds_shut(facts.clouds), "clouds are offline"),
        ),
        (
            "Sites",
            "all are online",
            few(attention.sites_shut(facts.sites, rows), "sites are not online"),
        ),
        (
            "Failures",
            f"no site where {FEW_JOBS} jobs or more have ended fails more than {FAILURE_PERCENT} %",
            few(attention.failing(facts, rows, seen.tops), "sites fail a lot"),
        ),
        ("Brokerage", "it found a site for every job", attention.unplaced(facts)),
        ("Work to hand out", "pilots find jobs, or there are few of them", dry(facts, rows)),
        (
            "Pilots",
            "they call where jobs wait for them",
            few(attention.unserved(facts, rows), "sites have activated jobs but no pilots"),
        ),
        (
            "Idle sites",
            f"each that is online had a job within {IDLE_HOURS} h",
            few(idle(facts, rows), f"sites idle for more than {IDLE_HOURS} h"),
        ),
        (
            "Piles",
            f"nowhere do {PILE_JOBS} jobs or more wait, {PILE_SHARE} times as many as run there",
            few(piles(facts, rows), "piles"),
        ),
        (
            "Not updated",
            f"no job lies about (activated and running over {hours} h)",
            attention.left_alone(facts, seen.stale),
        ),
        ("Banned nodes", "there are none", few(banned(facts), "sites have banned nodes")),
        (
            "Space",
            "brokerage has the free space that it asks for",
            few(attention.short_of_space(facts), "sites are short of space"),
        ),
        (
            "Storage",
            f"none is more than {FULL_PERCENT} % full, all were measured within {OLD_HOURS} h",
            [
                *few(nearly_full(facts), "storage elements are nearly full"),
                *few(old_space(facts), "storage elements were not measured of late"),
            ],
        ),
        (
            f"DDM, last {HOURS} h",
            f"at least {GOOD} % of the tries to move a file went well",
            moves.inefficient(facts.ddm),
        ),
        (
            "Transfers",
            "none waits for more than a day",
            few(moves.stuck(facts.ddm, now=facts.now), "storage elements wait for files"),
        ),
    ]
    return [Check(title=title, well=well, items=[*items]) for title, well, items in lines]


def to_look_at(checks: Iterable[Check]) -> list[Item]:
    """Everything that was found, alerts first."""
    found = [item for check in checks for item in check.items]
    return sorted(found, key=lambda item: item.level != "alert")


def dry(facts: Facts, rows: Mapping[tuple[int, int], Row]) -> Iterator[Item]:
    """Nothing is queued while pilots ask."""
    total = Row.total("all", rows.values())
    if total.pilots < MANY_PILOTS or any(total.states[state] for state in WAITS):
        return
    kind = f"{facts.kind} " if facts.kind else ""
    yield Item(
        level="warning",
        text=f"no {kind}jobs are queued",
        reason=f"{plural(total.pilots, 'pilot')} called of late, and nothing is defined, waiting,"
        " assigned or activated",
        step="see that those who submit know it, and that their submissions come through",
        url=jobs_url(kind=facts.kind, window=f"{facts.hours}h"),
    )


def idle(facts: Facts, rows: Mapping[tuple[int, int], Row]) -> Iterator[Item]:
    """Sites that have been online for a day and had no job in it, though there was work."""
    work_was_there = any(answers.get(HANDED_OUT) for answers in facts.answers.values())
    if not work_was_there:
        return
    for site in facts.sites:
        row, answers = rows[site.cloud_id, site.pk], facts.answers.get(site.pk, {})
        if (
            site.status != Site.Status.ONLINE
            or not _long_online(site, facts)
            or answers.get(HANDED_OUT)
            or any(row.states[state] for state in LEASED)
        ):
            continue
        if row.states[JobState.ACTIVATED] and not row.pilots:
            continue  # that is said already
        yield Item(
            level="warning",
            subject=site.name,
            text=f"{site.name} had no job for more than {IDLE_HOURS} h",
            reason=_why_idle(answers, queued=row.states[JobState.ACTIVATED]),
            step="its page tells what its pilots were answered and what brokerage thinks of it",
            url=reverse("monitor:site", args=[site.name]),
        )


def _long_online(site: Site, facts: Facts) -> bool:
    """Since when is not known of a site that was never set online by anybody."""
    if site.status_at is None:
        return False
    return (facts.now - site.status_at).total_seconds() > IDLE_HOURS * 3600


def _why_idle(answers: Mapping[str, int], *, queued: int) -> str:
    if not answers:
        return "no pilot has called there in that time"
    outcome, n = min(answers.items(), key=lambda pair: (-pair[1], pair[0]))
    waits = f"; {plural(queued, 'job')} wait there that fit none of them" if queued else ""
    return f"its pilots were told {outcome.replace('_', ' ')} {plural(n, 'time')}{waits}"


def piles(facts: Facts, rows: Mapping[tuple[int, int], Row]) -> Iterator[Item]:
    """Where far more jobs wait than run: missing input by cloud, files on their way by site."""
    clouds = {cloud.pk: cloud.name for cloud in facts.clouds}
    of_cloud: defaultdict[int, list[Row]] = defaultdict(list)
    for (cloud_id, _site), row in rows.items():
        of_cloud[cloud_id].append(row)
    places = [
        (JobState.WAITING, Row.total(clouds.get(key, ""), many), {"cloud": clouds.get(key, "")})
        for key, many in of_cloud.items()
    ] + [
        (state, row, {"site": row.name})
        for (_cloud, site_id), row in rows.items()
        if site_id
        for state in (JobState.ASSIGNED, JobState.TRANSFERRING)
    ]
    found = [place for place in places if _is_pile(place[1], place[0])]
    for state, row, filters in sorted(found, key=lambda place: -place[1].states[place[0]]):
        where = f" at {row.name}" if row.name else ""
        yield Item(
            level="warning",
            subject=f"{row.name} ({state})",
            text=f"{row.states[state]:,} {state} jobs{where}",
            reason=f"while {row.states[JobState.RUNNING]:,} run there",
            step=NEXT_FOR_PILE[state],
            url=jobs_url(**filters, state=state, kind=facts.kind),
        )


def _is_pile(row: Row, state: JobState) -> bool:
    n = row.states[state]
    return n >= PILE_JOBS and n >= PILE_SHARE * row.states[JobState.RUNNING]


def banned(facts: Facts) -> Iterator[Item]:
    """Nodes that somebody has to mend and give jobs again, by site."""
    by_site: defaultdict[str, list[BannedNode]] = defaultdict(list)
    for ban in facts.bans:
        by_site[ban.site.name].append(ban)
    for site, bans in by_site.items():
        latest = max(bans, key=lambda ban: ban.at)
        names = ", ".join(ban.node for ban in bans[:3]) + (", ..." if len(bans) > 3 else "")
        since = ago((facts.now - latest.at).total_seconds())
        yield Item(
            level="warning",
            subject=site,
            text=f"{plural(len(bans), 'node')} of {site} banned: {names}",
            reason=f"the latest {since} ago: {latest.reason}",
            step="when the node is mended, lift its ban, with a reason",
            url=reverse("monitor:site", args=[site]),
        )


def _elements(facts: Facts) -> list[SpaceLine]:
    """Each storage element once, as its first site sees it."""
    lines: dict[str, SpaceLine] = {}
    for link in facts.storages:
        lines.setdefault(link.storage.name, space_line(link, now=facts.now))
    return [lines[name] for name in sorted(lines)]


def nearly_full(facts: Facts) -> Iterator[Item]:
    """Storage elements that still have what brokerage asks for, though not for long."""
    for line in _elements(facts):
        percent = line.used_permille // 10
        if percent > FULL_PERCENT and not line.low:
            yield Item(
                level="warning",
                subject=line.storage,
                text=f"{line.storage} is {percent} % full",
                reason=f"{line.text} GB of {line.capacity_gb:.0f} GB are left",
                step="delete or move data before jobs fail for want of space",
                url=reverse("monitor:site", args=[line.site]),
            )


def old_space(facts: Facts) -> Iterator[Item]:
    """Storage elements whose free space is not known as of now."""
    for line in _elements(facts):
        if line.old and line.as_of is not None:
            age = ago((facts.now - line.as_of).total_seconds())
            yield Item(
                level="warning",
                subject=line.storage,
                text=f"the space of {line.storage} was measured {age} ago",
                reason="brokerage goes by that number; either the storage does not answer or the"
                " sweep that measures it is late",
                step="see whether the storage answers, and what the sweep says on the server page",
                url=reverse("monitor:site", args=[line.site]),
            )
