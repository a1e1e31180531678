"""F30: the database is lost, and brought back from a backup that is a little old."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg2

from jobs.states import JobState
from pandasite.embedded.keys import Keys
from pandasite.embedded.postgres import NAME, PORT, SUPERUSER, with_autocommit
from tests.faults.books import Books
from tests.faults.checker import lapses
from tests.faults.crews import claimed, ids, runner
from tests.faults.grid import Place
from tests.faults.history import Op
from tests.faults.site import FaultSite
from tests.faults.sizes import long

log = logging.getLogger(__name__)

HELD = 20


@long
def test_after_a_restore_work_goes_on_and_old_leases_are_refused(
    patient: Books, tmp_path: Path
) -> None:
    # given work under way, a backup, and more of it afterwards
    place, site = patient.place(), patient.site
    held = claimed(patient, place, HELD)
    waiting = patient.activated(place, HELD)
    dump(site, tmp_path / "backup")
    pilot = patient.pilot(place)
    late = [job for _ in waiting if (job := pilot.claim())]
    [unknown] = claimed(patient, place, 1)
    pilot.report(held[0], "finished", seq=1)

    # when the database is lost, and that backup restored
    restore(site, tmp_path / "backup")

    # then it is as it was, and leases that were given since then are refused
    assert site.fsck() == []
    assert patient.states(ids(held)) == {JobState.SENT: HELD}
    assert patient.states(waiting) == {JobState.ACTIVATED: HELD}
    assert codes(pilot.report(job, "running", seq=1) for job in late) == {(409, "stale_attempt")}
    assert codes([pilot.report(unknown, "running", seq=1)]) == {(404, "not_found")}

    # and when the jobs have new pilots, the lease alone tells the old ones from them
    anew = [job for _ in waiting if (job := patient.pilot(place).claim())]
    assert attempts(anew) == attempts(late)
    assert codes(pilot.report(job, "finished", seq=2) for job in late) == {(409, "stale_lease")}

    # and leases of the backup go on: all of it ends well
    end_well(patient, place, [*held, *anew])


def end_well(books: Books, place: Place, held: list[dict[str, Any]]) -> None:
    """The jobs in the hands of pilots, and new ones, finish."""
    for job in held:
        books.pilot(place).run(job)
    panda_ids = [*ids(held), *books.activated(place, 3)]
    runner(books.pilot(place))()
    books.await_states(panda_ids, JobState.FINISHED)
    books.history.ops.clear()  # claims of a time that never was
    assert lapses(books, panda_ids) == []


def attempts(jobs: list[dict[str, Any]]) -> set[tuple[int, int]]:
    return {(job["panda_id"], job["attempt_nr"]) for job in jobs}


def codes(ops: Any) -> set[tuple[int, str]]:
    found: Sequence[Op] = list(ops)
    return {(op.status, op.answer.get("code", "")) for op in found}


def dump(site: FaultSite, path: Path) -> None:
    """As an administrator does, while work goes on."""
    run(site, "pg_dump", "--format=custom", f"--file={path}", NAME)


def restore(site: FaultSite, path: Path) -> None:
    """Stop everything, drop what there is, and bring back the backup."""
    for name in [name for name in site.pieces if name not in ("postgres", "valkey")]:
        site.kill_piece(name)
    superuser = psycopg2.connect(
        host=str(site.servers.postgres.sockets),
        port=PORT,
        user=SUPERUSER,
        password=Keys.of(site.home.secrets).superuser_password,
        dbname="postgres",
    )
    with_autocommit(superuser, lambda cursor: cursor.execute(f"DROP DATABASE {NAME} WITH (FORCE)"))
    site.servers.postgres.ready()  # makes the database anew
    run(site, "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={NAME}", str(path))
    site.start_site()


def run(site: FaultSite, program: str, *words: str) -> None:
    """A program of PostgreSQL, as the user of the application."""
    postgres = site.servers.postgres
    where = ("-h", str(postgres.sockets), "-p", str(PORT), "-U", NAME)
    password = Keys.of(site.home.secrets).database_password
    done = subprocess.run(
        [postgres.programs.folder / program, *where, *words],
        env=os.environ | {"PGPASSWORD": password},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
