"""`/healthz/live`: the process answers. `/healthz/ready`: it can do its work, or what is missing.

Ready means: the database takes a write, and every sweep of `settings.EXPECTED_SWEEPS` (name to
seconds between two runs) has ended well within three of its rounds. A process that has just
started grants them three rounds. A broker that is away or a sweep that fails makes the answer
`degraded`, still 200: the rows wait, and requests are served. So does one of
`settings.WATCHED_SWEEPS`, which work with somebody else's servers and may be late.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError

from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from pandasite.base.problems import Problem, answer

# The row that the probe writes; no sweep has this name.
PROBE = "healthz"
PROBE_MILLISECONDS = 2000
BROKER_SECONDS = 1
ROUNDS = 3
SHORTEST = 30  # s: no sweep is late before
STARTED = time.monotonic()


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 `ok` or `degraded`, or 503 with the failed checks; no details of the servers."""
    checks = {"database": check_database(), "sweeps": check_sweeps(), "broker": check_broker()}
    failed = [name for name in ("database", "sweeps") if not checks[name]["ok"]]
    if failed:
        return _not_ready(request, failed, checks)
    degraded = not checks["broker"]["ok"] or bool(checks["sweeps"]["failing"])
    return JsonResponse({"status": "degraded" if degraded else "ok", "checks": checks})


def check_database() -> dict[str, Any]:
    """Whether a write can be committed within two seconds."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [PROBE_MILLISECONDS])
            row = SweepRun(name=PROBE, ended_at=database_now())
            SweepRun.objects.bulk_create(
                [row], update_conflicts=True, unique_fields=["name"], update_fields=["ended_at"]
            )
    except (DatabaseError, InterfaceError):
        return {"ok": False}
    return {"ok": True}


def check_sweeps() -> dict[str, Any]:
    """Seconds since each expected sweep ended, which are late, and which failed last time."""
    expected: Mapping[str, float] = getattr(settings, "EXPECTED_SWEEPS", {})
    try:
        now = database_now()
        names = [*expected, *getattr(settings, "WATCHED_SWEEPS", ())]
        runs = {run.name: run for run in SweepRun.objects.filter(name__in=names)}
    except (DatabaseError, InterfaceError):
        return {"ok": False, "ages": {}, "late": sorted(expected), "failing": []}
    ages = sweep_ages(expected, runs, now=now)
    late = late_sweeps(expected, ages, uptime=time.monotonic() - STARTED)
    failing = sorted(name for name, run in runs.items() if run.ended_at and not run.ok)
    return {"ok": not late, "ages": ages, "late": late, "failing": failing}


def sweep_ages(
    expected: Mapping[str, float], runs: Mapping[str, SweepRun], *, now: dt.datetime
) -> dict[str, int | None]:
    """Whole seconds since the last good end of each expected sweep; None if it has none."""
    ends = {name: runs[name].last_ok_at if name in runs else None for name in expected}
    return {name: int((now - end).total_seconds()) if end else None for name, end in ends.items()}


def late_sweeps(
    expected: Mapping[str, float], ages: Mapping[str, int | None], *, uptime: float
) -> list[str]:
    """The sweeps that have missed three rounds, counted from the start of this process at most.

    Of one that runs every second nobody need hear before half a minute: machines have other work.
    """
    waited = {name: uptime if age is None else min(age, uptime) for name, age in ages.items()}
    return sorted(
        name for name, every in expected.items() if waited[name] > max(ROUNDS * every, SHORTEST)
    )


def check_broker() -> dict[str, Any]:
    """Whether the broker answers within a second or two."""
    limits = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS}
    options = {**current_app.conf.broker_transport_options, **limits}
    try:
        with current_app.connection_for_write(transport_options=options) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
    except (BrokerError, OSError):
        return {"ok": False}
    return {"ok": True}


def _not_ready(request: HttpRequest, failed: list[str], checks: Mapping[str, Any]) -> HttpResponse:
    problem = Problem(
        status=503,
        code="not_ready",
        message=f"not ready: {' and '.join(failed)}",
        extra={"status": "failed", "failed": failed, "checks": checks, "retry_after": ROUNDS},
        headers={"Retry-After": str(ROUNDS)},
    )
    return answer(request, problem)


PROBES: Final[Mapping[str, Callable[[HttpRequest], HttpResponseBase]]] = {
    "/healthz/live": live,
    "/healthz/ready": ready,
}


class HealthMiddleware:
    """Answers the probes before anything asks for the host, the session or the database.

    A probe calls by an address of the machine, which is none of the names of the site.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info, self.get_response)
        return probe(request)
