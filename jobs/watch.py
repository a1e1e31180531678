"""The watchdog: every job that has been too long somewhere is moved on, with the reason.

The limits are settings (`PANDASITE_*`), the moves those of jobs/states.py. Each rule is one
function in RULES; it gets `now` and returns how many jobs it moved.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from brokerage.models import Downtime, Site
from datasets.models import SiteStorage, Transfer
from jobs import errors, services
from jobs.errors import Error
from jobs.labels import ANALYSIS, SHORT_HOLDING
from jobs.models import Job, JobFile
from jobs.models.job import JobQuerySet
from jobs.pulse import RENEWED_AT_ONCE, renew
from jobs.states import JobState
from pandasite.base import inorder
from pandasite.base.rounds import Round
from pandasite.base.sweeps import patient_until

log = logging.getLogger(__name__)

ACTOR = "watchdog"
SWEEP = "jobs.watch"
HIGH_PRIORITY = 900  # outputs of such jobs are expected home sooner
LIFTED_PRIORITY = 100  # a production job that waited too long for a pilot is brokered with this
USER_LIFT = 40  # added to the priority of a user's job that waited too long
BATCH = 1000


def run(now: dt.datetime) -> int:
    """Apply every rule once, whatever becomes of the others; returns the number of jobs moved.

    After an outage of the site pilots have a whole lease to be heard again.
    """
    lease = dt.timedelta(seconds=_limit("LEASE_SECONDS") + _limit("LEASE_GRACE_SECONDS"))
    patient = patient_until(SWEEP, now=now, pause=lease)
    if patient:
        log.info("the site was away: silence does not count", extra={"until": patient})
    work = Round()
    for rule in RULES:
        if not (patient and rule in OF_SILENCE):
            work.do(rule.__name__, partial(_apply, rule, now))
    return work.end()


def _apply(rule: Callable[[dt.datetime], int], now: dt.datetime) -> int:
    """One rule, with a line of the log when it moved jobs."""
    moved = rule(now)
    if moved:
        log.info("watchdog", extra={"rule": rule.__name__, "jobs": moved})
    return moved


def _limit(name: str) -> int:
    return int(settings.PANDASITE[name])


def _ago(now: dt.datetime, **span: float) -> dt.datetime:
    return now - dt.timedelta(**span)


def _some(jobs: JobQuerySet) -> JobQuerySet:
    """A bounded bunch of the rows, by key: an UPDATE cannot be limited, a list of keys can.

    The condition stays on the query: it is asked again of the locked row, which may have had a
    heartbeat or a pilot since the keys were read.
    """
    return jobs.filter(pk__in=list(jobs.order_by().values_list("pk", flat=True)[:BATCH]))


def move_dates_on(now: dt.datetime) -> int:
    """No job is moved: leases that were renewed are looked at again when they end."""
    while renew(now) == RENEWED_AT_ONCE:
        pass
    return 0


def _hold(silent: JobQuerySet) -> JobQuerySet:
    """A bunch of silent jobs, locked with their pulses: a heartbeat comes before this or after.

    Those that somebody else holds are not silent.
    """
    rows = silent.select_related("pulse").only("pk", "pulse__due").order_by("pk")
    held = rows.select_for_update(of=("self", "pulse"), skip_locked=True)[:BATCH]
    return silent.filter(pk__in=[job.pk for job in held])


@transaction.atomic
def cancel_silent_killed(now: dt.datetime) -> int:
    """A killed job whose pilot never came back to hear of it."""
    held = _hold(Job.objects.silent_since(now).exclude(command=""))
    killed = 0
    for panda_id, reason in list(held.order_by("pk").values_list("pk", "command_reason")):
        why = f"{reason}; its pilot fell silent"
        mine = held.filter(pk=panda_id)
        killed += len(services.cancel_killed(mine, actor=ACTOR, now=now, why=why))
    return killed


def unanswered(now: dt.datetime) -> int:
    """`sent`, and no word from the pilot."""
    error = errors.NO_REPLY.said(
        f"no word within {_limit('SENT_SECONDS')} s after the job was sent"
    )
    return _requeue(Job.objects.silent_since(now).filter(state=JobState.SENT), error, now)


def silent(now: dt.datetime) -> int:
    """`starting` or `running`, and no heartbeat within the lease and its grace."""
    cutoff = _ago(now, seconds=_limit("LEASE_GRACE_SECONDS"))
    error = errors.LOST_HEARTBEAT.said(f"no heartbeat within {_limit('LEASE_SECONDS')} s")
    lost = Job.objects.silent_since(cutoff).exclude(state=JobState.SENT)
    return _requeue(lost, error, now)


@transaction.atomic
def _requeue(jobs: JobQuerySet, error: Error, now: dt.datetime) -> int:
    held = _hold(jobs.filter(command=""))
    requeued, failed = services.requeue(held, error=error, actor=ACTOR, now=now)
    return len(requeued) + len(failed)


def unregistered(now: dt.datetime) -> int:
    """`holding` too long: the outputs could not be registered."""
    analysis = Q(
        prod_source_label__in=SHORT_HOLDING,
        state_change_time__lt=_ago(now, hours=_limit("HOLDING_HOURS_ANALYSIS")),
    )
    production = ~Q(prod_source_label__in=SHORT_HOLDING) & Q(
        state_change_time__lt=_ago(now, hours=_limit("HOLDING_HOURS_PRODUCTION"))
    )
    held = Job.objects.filter(analysis | production, state=JobState.HOLDING)
    return _fail(held, errors.RECOVERY_FAILED, "outputs were not registered in time", now)


def undelivered(now: dt.datetime) -> int:
    """`transferring` too long: the limit is shorter for high priorities."""
    high = Q(
        current_priority__gte=HIGH_PRIORITY,
        state_change_time__lt=_ago(now, hours=_limit("TRANSFERRING_HOURS_HIGH")),
    )
    low = Q(state_change_time__lt=_ago(now, hours=_limit("TRANSFERRING_HOURS_LOW")))
    late = Job.objects.filter(high | low, state=JobState.TRANSFERRING)
    why = "outputs did not reach their destination"
    return _fail_with_trouble(late, JobFile.Type.OUTPUT, errors.TRANSFER_TIMEOUT, why, now)


def _fail_with_trouble(
    jobs: JobQuerySet, kind: JobFile.Type, error: Error, why: str, now: dt.datetime
) -> int:
    """Fail each with what was last said of the transfers of its files."""
    failed = 0
    for job in jobs.order_by("pk")[:BATCH]:
        said = "; ".join(filter(None, [why, _trouble(job, kind)]))
        failed += len(services.fail(jobs.filter(pk=job.pk), error.said(said), actor=ACTOR, now=now))
    return failed


def _trouble(job: Job, kind: JobFile.Type) -> str:
    """The last complaint of a transfer of the job's files to where they are wanted."""
    here = Q(
        destination__site_storages__site=job.computing_site,
        destination__site_storages__role=SiteStorage.Role.LOCAL,
    )
    home = Q(destination=job.destination_se)
    since = Q(ended_at=None) | Q(ended_at__gte=job.state_change_time)
    complaints = Transfer.objects.filter(
        since,
        here if kind == JobFile.Type.INPUT else home,
        file__job_files__job=job,
        file__job_files__type=kind,
    ).exclude(error="")
    last = complaints.order_by("-pk").select_related("file").first()
    return f"{last.file}: {last.error}" if last else ""


def expired(now: dt.datetime) -> int:
    """Too long in queues; a job that had a pilot starts anew, `waiting` has a limit of its own."""
    days = _limit("QUEUE_DAYS")
    old = Job.objects.filter(
        state__in=[JobState.DEFINED, JobState.ASSIGNED, JobState.ACTIVATED],
        queued_since__lt=_ago(now, days=days),
    )
    hungry = Job.objects.in_state_since(_ago(now, days=_limit("WAITING_DAYS")), JobState.WAITING)
    return _fail(old, errors.EXPIRED, f"more than {days} days in a queue", now) + _fail(
        hungry, errors.WAIT_TIMEOUT, "its input did not appear in time", now
    )


def _fail(jobs: JobQuerySet, error: Error, diag: str, now: dt.datetime) -> int:
    return len(services.fail(_some(jobs), error.said(diag), actor=ACTOR, now=now))


def stuck_input(now: dt.datetime) -> int:
    """`assigned` too long: brokered again, at most REBROKER_MAX times; then it fails."""
    cutoff = _ago(now, hours=_limit("ASSIGNED_HOURS"))
    late = Job.objects.in_state_since(cutoff, JobState.ASSIGNED)
    why = "its input did not arrive in time"
    moved = _rebroker(late, why, now)
    worn_out = late.filter(rebroker_count__gte=_limit("REBROKER_MAX"))
    return moved + _fail_with_trouble(
        worn_out, JobFile.Type.INPUT, errors.INPUT_FAILED, f"{why} at any site", now
    )


def unwanted(now: dt.datetime) -> int:
    """`activated` too long: no pilot of the site took it; brokered again with more priority."""
    cutoff = _ago(now, days=_limit("ACTIVATED_DAYS"))
    late = Job.objects.in_state_since(cutoff, JobState.ACTIVATED).filter(site_fixed=False)
    urgent = late.filter(current_priority__gte=LIFTED_PRIORITY)
    low = late.filter(current_priority__lt=LIFTED_PRIORITY)
    why = "no pilot of the site took it in time"
    return _rebroker(urgent, why, now) + _rebroker(low, why, now, current_priority=LIFTED_PRIORITY)


def neglected(now: dt.datetime) -> int:
    """A user's job that no pilot took for a day gets more priority, once."""
    cutoff = _ago(now, hours=_limit("ACTIVATED_HOURS_USER"))
    late = Job.objects.in_state_since(cutoff, JobState.ACTIVATED).filter(
        prod_source_label__in=ANALYSIS, current_priority=F("assigned_priority")
    )
    lifted = F("current_priority") + USER_LIFT
    return inorder.update(_some(late), current_priority=lifted, modification_time=now)


def at_shut_site(now: dt.datetime) -> int:
    """`assigned` or `activated` at a site that is offline, or in an outage, for too long: brokered
    again, unless its submitter named the site.

    However often they were before: brokerage does not choose such a site.
    """
    moved = 0
    for site, why in _shut(now):
        waiting = Q(state=JobState.ASSIGNED) | Q(state=JobState.ACTIVATED)
        jobs = Job.objects.filter(waiting, computing_site=site, site_fixed=False)
        reason = {"reason": f"{site.name} is {why}"}
        moved += len(services.rebroker(_some(jobs), actor=ACTOR, now=now, reason=reason))
    return moved


def _shut(now: dt.datetime) -> list[tuple[Site, str]]:
    """Sites that have handed out nothing for OFFLINE_HOURS, and why."""
    hours = _limit("OFFLINE_HOURS")
    since = _ago(now, hours=hours)
    offline = Site.objects.filter(status=Site.Status.OFFLINE, status_at__lt=since).order_by("pk")
    outages = Downtime.objects.outages(now).filter(start__lt=since).exclude(site__in=offline)
    latest = outages.select_related("site").order_by("site_id", "-end").distinct("site_id")
    return [
        *((site, f"offline for more than {hours} h: {site.status_reason}") for site in offline),
        *((one.site, f"in downtime for more than {hours} h, {one.words}") for one in latest),
    ]


def overrunning(now: dt.datetime) -> int:
    """`running` for weeks, though its heart beats: killed."""
    days = _limit("RUNNING_DAYS")
    # It has been running since it started: the index of live jobs knows when it changed its state.
    began = _ago(now, days=days)
    late = Job.objects.in_state_since(began, JobState.RUNNING).filter(
        start_time__lt=began, command=""
    )
    return services.order_end(
        _some(late), reason=f"{ACTOR}: it runs for more than {days} days", now=now
    )


def _rebroker(jobs: JobQuerySet, why: str, now: dt.datetime, **changes: int) -> int:
    again = jobs.filter(rebroker_count__lt=_limit("REBROKER_MAX"))
    moved = services.rebroker(_some(again), actor=ACTOR, now=now, reason={"reason": why}, **changes)
    return len(moved)


OF_SILENCE = (cancel_silent_killed, unanswered, silent)
RULES: Iterable[Callable[[dt.datetime], int]] = (
    move_dates_on,
    cancel_silent_killed,
    unanswered,
    silent,
    unregistered,
    undelivered,
    expired,
    stuck_input,
    unwanted,
    neglected,
    at_shut_site,
    overrunning,
)
