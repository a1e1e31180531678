"""F14 and F20: a pilot comes back from the dead, and a command outlives the attempt it was for."""

from __future__ import annotations

import json
import logging
import uuid
from signal import SIGCONT, SIGSTOP
from typing import Any

from datasets.models import File
from jobs.models import Job, JobFile
from jobs.states import JobState
from tests.faults.books import Books
from tests.faults.checker import double_moves, lapses, second_ends
from tests.faults.control import WRITE, without_guards
from tests.faults.crews import claimed, ids, runner
from tests.faults.pilots import GUID
from tests.faults.site import LEASE_SECONDS
from tests.faults.sizes import quick
from tests.faults.talk import hear, talking, tell

log = logging.getLogger(__name__)

COMMANDS = 100


@quick
def test_a_pilot_that_was_given_up_changes_nothing(patient: Books) -> None:
    # given a pilot that is stopped in the middle of its job
    place, site, guid = patient.place(), patient.site, str(uuid.uuid4())
    [panda_id] = patient.activated(place, 1)
    words = (site.url, place.token, place.name, guid)
    with talking(site, "tests.faults.zombie", *words) as zombie:
        job = json.loads(hear(zombie))
        zombie.send_signal(SIGSTOP)
        patient.end_leases([panda_id], seconds=LEASE_SECONDS)
        patient.await_states([panda_id], JobState.ACTIVATED)

        # when another one does the job, and the first wakes up and says that it has finished
        runner(patient.pilot(place))()
        patient.await_states([panda_id], JobState.FINISHED)
        before = rows(patient, panda_id)
        tell(zombie, "go")
        zombie.send_signal(SIGCONT)
        status, answer = json.loads(hear(zombie))

    # then
    assert job["attempt_nr"] == 1
    assert (status, answer["code"], answer["command"]) == (409, "stale_attempt", "tobekilled")
    assert rows(patient, panda_id) == before
    assert lapses(patient, [panda_id], attempts=2) == []
    with site.books():
        assert not File.objects.filter(guid=guid).exists()
        assert set(JobFile.objects.filter(job=panda_id).values_list("guid", flat=True)) == {GUID}


@quick
def test_without_the_lease_a_pilot_that_was_given_up_ends_the_job_again(patient: Books) -> None:
    """The control: whoever names the job is believed."""
    # given
    place = patient.place()
    panda_ids = patient.activated(place, 3)
    runner(patient.pilot(place))()
    patient.await_states(panda_ids, JobState.FINISHED)

    # when
    with without_guards(patient, panda_ids) as copy:
        for panda_id in panda_ids:
            with copy.client() as cursor:
                cursor.execute(WRITE, {"job": panda_id, "was": "running", "to": "finished"})

        # then
        found = copy.lapses(lambda: second_ends(panda_ids))
    assert len(found) == 3


@quick
def test_a_command_for_one_attempt_does_not_reach_the_next(patient: Books) -> None:
    # given jobs in their second attempt, with a command that is left of the first
    place = patient.place()
    panda_ids = ids(claimed(patient, place, COMMANDS))
    patient.end_leases(panda_ids, seconds=0)
    patient.await_states(panda_ids, JobState.ACTIVATED)
    pilot = patient.pilot(place)
    held = [job for _ in panda_ids if (job := pilot.claim())]
    order_end(patient, panda_ids, attempt=1)

    # when
    said = [pilot.run(job).answer for job in held]
    patient.await_states(panda_ids, JobState.FINISHED)

    # then
    assert [answer["command"] for answer in said] == [None] * COMMANDS
    assert patient.attempts(panda_ids) == {2: COMMANDS}
    assert lapses(patient, panda_ids, attempts=2) == []


@quick
def test_a_killed_job_gets_no_second_attempt(patient: Books) -> None:
    # given jobs that are killed while pilots have them
    place = patient.place()
    panda_ids = ids(claimed(patient, place, 20))
    assert {patient.kill(panda_id) for panda_id in panda_ids} == {200}

    # when their pilots fall silent
    patient.end_leases(panda_ids, seconds=0)
    patient.await_states(panda_ids, JobState.CANCELLED)

    # then nobody else gets them
    assert patient.pilot(place).claim() is None
    assert patient.attempts(panda_ids) == {1: len(panda_ids)}
    with patient.site.books():
        assert list(double_moves(panda_ids)) == []


@quick
def test_a_command_that_names_no_attempt_reaches_the_next(patient: Books) -> None:
    """The control: whoever asks is told, as in the systems that had this fault."""
    # given
    place = patient.place()
    held = claimed(patient, place, 10)
    pilot = patient.pilot(place)

    # when the command is meant for the attempt that runs, as it looks without a number
    order_end(patient, ids(held), attempt=held[0]["attempt_nr"])
    said = [pilot.report(job, "running", seq=1).answer for job in held]

    # then
    assert [answer["command"] for answer in said] == ["tobekilled"] * len(held)


def rows(books: Books, panda_id: int) -> list[dict[str, Any]]:
    """All columns of the job and of its files."""
    with books.site.books():
        job, files = Job.objects.filter(pk=panda_id), JobFile.objects.filter(job=panda_id)
        found: list[dict[str, Any]] = [dict(row) for row in job.values()]
        return found + [dict(row) for row in files.order_by("pk").values()]


def order_end(books: Books, panda_ids: list[int], *, attempt: int) -> None:
    """Write a command for an attempt straight into the books."""
    with books.sql() as cursor:
        cursor.execute(
            "UPDATE jobs_job SET command = 'tobekilled', command_attempt = %s,"
            " command_reason = 'a test of faults' WHERE panda_id = ANY(%s)",
            [attempt, panda_ids],
        )
