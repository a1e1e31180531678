"""F23: Bamboo dies in the middle of a cycle, or runs twice at once."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from django.conf import settings
from django.db import connections, transaction
from django.db.models import Count

from jobs.models import BambooJob, BambooRound, Job
from jobs.proddb.models import JobDefinition, StateChange, TaskRequest
from jobs.states import JobState
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import PORT, PRODDB, SUPERUSER, socket_folder
from tests.bamboo.production import a_cloud, ask
from tests.faults.books import Books
from tests.faults.dying import POINTS
from tests.faults.site import FaultSite
from tests.faults.sizes import quick, sized

TASKS = 4
KILLED = -9
LONGEST_WAIT = 60  # s, until a cycle has begun to wait
BUSY = "another cycle is at work"
_serial = itertools.count(1)


def a_cycle(site: FaultSite, *words: str) -> subprocess.Popen[str]:
    """`manage.py bamboo`, or one that dies at a point."""
    command = ["manage.py", "bamboo"] if not words else ["-m", "tests.faults.dying", *words]
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _none = process.communicate(timeout=120)
    return process.returncode, said


def work_for(site: FaultSite, number: int) -> list[int]:
    """Requests with so many job definitions in all; their numbers."""
    with site.books():
        # Its own cloud: those before have the jobs of other tests, and take no more of them. Of a
        # storage that is nowhere the sweep would say that it is full.
        a_cloud(f"BAMBOO{next(_serial)}", with_storage=False)
        return [ask(number // TASKS) for _ in range(TASKS)]


def lapses(requests: list[int]) -> Iterator[str]:
    """Definitions that have no job or two, states that prodDB does not know, or heard twice."""
    wanted = JobDefinition.objects.filter(request_id__in=requests)
    first = Job.objects.filter(
        retry_of=None, job_definition_id__in=list(wanted.values_list("pk", flat=True))
    )
    made = dict(first.values_list("job_definition_id").annotate(n=Count("pk")).order_by())
    states = dict(first.values_list("panda_id", "state"))
    for row in wanted:
        if made.get(row.pk, 0) != 1:
            yield f"definition {row.pk} has {made.get(row.pk, 0)} jobs"
        elif row.panda_state != states.get(row.panda_id):
            yield f"definition {row.pk} says {row.panda_state}, its job {row.panda_id} does not"
    told = StateChange.objects.filter(kind="job", subject_id__in=[row.pk for row in wanted])
    twice = told.values("subject_id", "state", "panda_state").annotate(n=Count("pk"))
    for row in twice.filter(n__gt=1).order_by():
        yield f"the outbox tells {row['subject_id']} {row['state']} {row['n']} times"


def clear(site: FaultSite, requests: list[int]) -> None:
    """Nothing of it is left for other tests."""
    with site.books():
        TaskRequest.objects.filter(pk__in=requests).update(state="TOBEABORTED")
    assert ended(a_cycle(site))[0] == 0


@sized("number", quick_size=200, full_size=2000)
@pytest.mark.parametrize("point", [point for point in POINTS if point != "kill"])
def test_a_cycle_that_is_killed_in_any_step_is_made_good_by_the_next(
    patient: Books, point: str, number: int
) -> None:
    # given
    site = patient.site
    requests = work_for(site, number)

    # when
    died, _said = ended(a_cycle(site, point))
    code, said = ended(a_cycle(site))

    # then
    with site.books():
        found = list(lapses(requests))
        states = set(TaskRequest.objects.filter(pk__in=requests).values_list("state", flat=True))
    assert died == KILLED
    assert code == 0, said
    assert found == [], said
    assert states == {"SUBMITTED"}
    clear(site, requests)


@quick
def test_what_was_to_be_aborted_is_aborted_by_the_cycle_after_a_killed_one(
    patient: Books,
) -> None:
    # given
    site = patient.site
    requests = work_for(site, 200)
    assert ended(a_cycle(site))[0] == 0
    with site.books():
        TaskRequest.objects.filter(pk__in=requests).update(state="TOBEABORTED")

    # when
    died, _said = ended(a_cycle(site, "kill"))
    code, said = ended(a_cycle(site))

    # then
    with site.books():
        states = JobDefinition.objects.filter(request_id__in=requests).values_list("state")
        left = Job.objects.filter(task__bamboo__request_id__in=requests)
        alive = left.exclude(state=JobState.CANCELLED).count()
        assert (died, code, set(states), alive) == (KILLED, 0, {("ABORTED",)}, 0), said
        assert list(lapses(requests)) == []


@sized("number", quick_size=200, full_size=2000)
def test_of_two_cycles_at_once_one_works_and_the_other_says_so(patient: Books, number: int) -> None:
    # given
    site = patient.site
    requests = work_for(site, number)

    # when
    both = [a_cycle(site), a_cycle(site)]
    ends = [ended(process) for process in both]

    # then: the second may also have come when the first had ended
    with site.books():
        found = list(lapses(requests))
    assert found == []
    assert all(code == 0 or BUSY in said for code, said in ends), ends
    assert any(code == 0 for code, _said in ends)
    clear(site, requests)


@quick
@pytest.mark.parametrize("trouble", ["away", "slow"])
def test_a_prod_db_that_is_away_or_slow_costs_time_and_no_job(patient: Books, trouble: str) -> None:
    # given
    site = patient.site
    requests = work_for(site, 200)

    # when
    with TROUBLES[trouble](site):
        code, said = ended(a_cycle(site))
    again, _said = ended(a_cycle(site))

    # then
    with site.books():
        found = list(lapses(requests))
        rounds = BambooRound.objects.order_by("-pk")[:2]
        states = [row.state for row in rounds]
    assert code != 0
    assert "prodDB: " in said
    assert (again, states) == (0, ["done", "trouble"])
    assert found == []
    clear(site, requests)


@contextmanager
def no_connections(site: FaultSite) -> Iterator[None]:
    """prodDB lets nobody in."""
    keys = Keys.of(site.home.secrets)
    admin = psycopg2.connect(
        host=str(socket_folder(site.home)),
        port=PORT,
        user=SUPERUSER,
        password=keys.superuser_password,
        dbname=SUPERUSER,
    )
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {PRODDB} ALLOW_CONNECTIONS false")
        try:
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {PRODDB} ALLOW_CONNECTIONS true")
            admin.close()


@contextmanager
def locked(site: FaultSite) -> Iterator[None]:
    """Somebody of production keeps a table to himself for longer than we wait."""
    with site.books(), transaction.atomic(using="proddb"), connections["proddb"].cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("LOCK TABLE proddb_taskrequest")
        yield


TROUBLES = {"away": no_connections, "slow": locked}


@quick
def test_a_prod_db_that_stands_still_in_a_cycle_is_given_up_and_goes_on_after_it(
    patient: Books,
) -> None:
    # given: a cycle that waits for prodDB
    site = patient.site
    requests = work_for(site, 200)
    with locked(site):
        cycle = a_cycle(site)
        server = the_one_that_waits(cycle)
        os.kill(server, signal.SIGSTOP)

    # when: it is let go by whoever held the table, but stands still
    try:
        code, said = ended(cycle)
    finally:
        os.kill(server, signal.SIGCONT)
    again, _said = ended(a_cycle(site))

    # then
    with site.books():
        found = list(lapses(requests))
        states = [row.state for row in BambooRound.objects.order_by("-pk")[:2]]
    assert code != 0
    assert "prodDB: " in said
    assert (again, states, found) == (0, ["done", "trouble"], [])
    clear(site, requests)


def the_one_that_waits(cycle: subprocess.Popen[str]) -> int:
    """The process of prodDB's server that has the cycle wait for a lock, asked by who has that."""
    deadline = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline and cycle.poll() is None:
        with connections["proddb"].cursor() as cursor:
            cursor.execute(_WAITING)
            if row := cursor.fetchone():
                return int(row[0])
        time.sleep(0.05)
    cycle.kill()
    raise AssertionError(f"no cycle waits for prodDB: {ended(cycle)}")


_WAITING = """
SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'proddb_taskrequest'::regclass
"""


@quick
def test_without_notes_of_its_own_jobs_are_made_twice(patient: Books) -> None:
    """The control: a cycle that knows only what prodDB says."""
    # given
    site = patient.site
    requests = work_for(site, 200)

    # when
    ended(a_cycle(site, "submit", "unguarded"))
    ended(a_cycle(site, "submit", "unguarded"))

    # then
    with site.books():
        found = list(lapses(requests))
        jobs = Job.objects.filter(job_name__startswith="mc09.", state__in=["defined"])
        twice = [lapse for lapse in found if "has 2 jobs" in lapse]
        assert len(twice) == 200
        assert not BambooJob.objects.filter(panda_id__in=jobs).exists()
        TaskRequest.objects.filter(pk__in=requests).update(state="ABORTED")
        JobDefinition.objects.filter(request_id__in=requests).update(state="ABORTED")
