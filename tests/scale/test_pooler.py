"""Behind PgBouncer in transaction mode: each transaction has whatever server connection is free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from jobs.states import JobState
from pandasite.base.models import SweepRun
from tests.flow.installation import eventually
from tests.scale.pilots import Pilot, at_once
from tests.scale.pooler import SERVER_CONNECTIONS, STATEMENT_MS, Pooler
from tests.scale.site import PLACE, Host, ScaleSite, hosts
from tests.scale.test_two_hosts import OFTEN, lapses

pytestmark = pytest.mark.faults
JOBS = 60
PILOTS = 12


@pytest.fixture(scope="module")
def pooler(site: ScaleSite, pgbouncer: Path) -> Pooler:
    pooler = Pooler(site, pgbouncer)
    pooler.limit_role()
    pooler.start()
    return pooler


@pytest.fixture(scope="module")
def environment(site: ScaleSite, pooler: Pooler) -> dict[str, str]:
    """The settings of a host behind the pooler, as docs/production.md has them."""
    return site.environment("pooled", pooler.url) | {"PANDASITE_STATEMENT_SECONDS": "0"}


@pytest.fixture(scope="module")
def host(site: ScaleSite, environment: dict[str, str]) -> Iterator[Host]:
    with hosts(site, site.start_host("pooled", "127.0.0.1", environment)) as (host,):
        yield host


def test_what_is_tied_to_a_session_is_lost_there(pooler: Pooler) -> None:
    """The control: what our programs may not do, since the pooler would not keep it."""
    with ExitStack() as stack:
        ours, other = (stack.enter_context(pooler.client()).cursor() for _ in range(2))
        # given a lock that was taken for a session
        ours.execute("SELECT pg_backend_pid(), pg_advisory_lock(1)")
        (home, _) = ours.fetchone()

        # when somebody else has the server connection
        other.execute("BEGIN")
        other.execute("SELECT pg_backend_pid(), pg_try_advisory_lock(1)")
        theirs, taken = other.fetchone()
        ours.execute("SELECT pg_backend_pid()")
        (away,) = ours.fetchone()
        other.execute("SELECT pg_advisory_unlock_all()")
        other.execute("COMMIT")

    # then it is theirs, and we are elsewhere
    assert (theirs, taken) == (home, True)
    assert away != home


def test_a_production_runs_well_on_fewer_connections_than_clients(
    site: ScaleSite, pooler: Pooler, host: Host
) -> None:
    # given
    panda_ids = site.manager(host).submit(place=PLACE, number=JOBS)
    site.await_state(panda_ids, JobState.ACTIVATED)

    # when
    pilots = [Pilot(urls=[host.url], token=site.pilot_token, place=PLACE) for _ in range(PILOTS)]
    done = at_once([pilot.work for pilot in pilots])
    pools = pooler.pools()

    # then
    assert sum(done) == JOBS
    site.await_state(panda_ids, JobState.FINISHED)
    assert lapses(site, panda_ids) == []
    assert site.fsck() == []
    clients = pools["cl_active"] + pools["cl_waiting"]
    servers = sum(pools[name] for name in ("sv_active", "sv_idle", "sv_used", "sv_tested"))
    assert clients > SERVER_CONNECTIONS >= servers


def test_every_sweep_goes_well_there(site: ScaleSite, host: Host) -> None:
    def all_went() -> bool:
        with site.books():
            fine = SweepRun.objects.filter(name__in=OFTEN, host="pooled", ok=True, runs__gt=0)
            return fine.count() == len(OFTEN)

    eventually(all_went, what=lambda: str(site.sweep_errors()))
    assert site.sweep_errors() == []


@pytest.mark.parametrize("page", ["/?format=json", "/jobs/?format=json", "/healthz/ready"])
def test_pages_are_read_there(host: Host, page: str) -> None:
    """As JSON: their HTML wants collected static files, which have no part in this."""
    eventually(lambda: requests.get(f"{host.url}{page}", timeout=30).status_code == 200)


def test_commands_run_there(site: ScaleSite, environment: dict[str, str], host: Host) -> None:
    site.manage("fsck", environment=environment)
    assert "[ ]" not in site.manage("showmigrations", environment=environment)


def test_the_limits_are_those_of_the_role(pooler: Pooler) -> None:
    with pooler.client() as client, client.cursor() as cursor:
        cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'")
        assert cursor.fetchone() == (STATEMENT_MS,)


def test_a_host_that_asks_for_limits_itself_is_refused(site: ScaleSite, pooler: Pooler) -> None:
    """Why docs/production.md wants PANDASITE_STATEMENT_SECONDS=0."""
    with pytest.raises(AssertionError, match="unsupported startup parameter"):
        site.manage("showmigrations", environment=site.environment("strict", pooler.url))
