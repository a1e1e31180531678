"""A log goes through the whole system on a virtual clock: no job is lost, none is done twice."""

import subprocess
import sys

import pytest

from jobs import fsck
from jobs.models import AnyJob
from pandasite.replay.entry import Entry, Payload
from pandasite.replay.fleet import Fleet
from pandasite.replay.outcome import Row, held_against, judge, lines, percentiles
from pandasite.replay.run import simulate
from pandasite.replay.simulate import Pace, Simulation
from pandasite.replay.swf import parse
from pandasite.replay.work import work_of
from tests.replay.made import swf

FEW_SWEEPS = Pace(hourly=6 * 3600.0, register=600.0)


def simulated(text, **options):
    """The log, replayed."""
    return simulate(work_of(parse(text.splitlines()), **options), pace=FEW_SWEEPS)


@pytest.mark.django_db(databases=["default", "proddb"])
def test_every_job_of_a_log_ends_once():
    simulation = simulated(swf(150), scale=20)

    outcome = judge(simulation)

    assert (outcome.lost, outcome.twice, outcome.refused) == ([], [], [])
    assert outcome.is_sound
    assert outcome.finished == AnyJob.objects.filter(state="finished").count() == 150
    assert fsck.check() == []
    assert outcome.told == {"DONE": 150}
    job = simulation.entry.work.jobs[7]
    row = AnyJob.objects.get(job_name=f"swf.{job.number}")
    assert row.prod_user_id == job.user
    assert (row.end_time - row.start_time).total_seconds() >= job.run, "till it is registered"
    assert row.cpu_consumption_time == round(job.run)
    assert (row.start_time - simulation.entry.work.at(job.submit)).total_seconds() >= 0
    asked = simulation.entry.work.core_seconds
    assert sum(found["core_hours"] for found in outcome.used.values()) == pytest.approx(
        asked / 3600
    )
    assert outcome.queue["all"]["n"] == 150


def test_what_is_lost_or_done_twice_is_found():
    work = work_of(parse(swf(20).splitlines()))
    numbers = [job.number for job in work.jobs]
    fleet = Fleet(work=work, places=[])
    fleet.claimed.update({1000 + n: 1 for n in numbers} | {1004: 2})
    fleet.ended.update([1000 + n for n in numbers] + [1005, 77])
    start = work.start.timestamp()
    rows = [
        Row(1000 + n, f"swf.{n}", "failed" if n == 2 else "finished", start + 9e4, start + 1e5)
        for n in numbers
    ]
    again, stranger = (
        rows[5]._replace(panda_id=2000),
        rows[5]._replace(panda_id=3000, name="swf.99"),
    )
    simulation = Simulation(entry=Entry(work=work, payload=Payload()), fleet=fleet)

    outcome = held_against(simulation, [*rows, again, stranger])

    assert outcome.lost == [1002]
    assert outcome.twice == [77, 1004, 1005, 2000, 3000]
    assert not outcome.is_sound
    assert list(lines(outcome))[:2] == ["19 of 20 jobs finished", "1 lost, 5 twice, 0 refused"]


def test_percentiles_are_the_smallest_times_that_so_many_do_not_exceed():
    assert percentiles([*range(1, 101)]) == {
        "n": 100, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "p100": 100,
    }  # fmt: skip
    assert percentiles([7.0])["p50"] == 7


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_command_replays_2000_jobs_in_an_installation_of_its_own(tmp_path):
    log = tmp_path / "made.swf"
    log.write_text(swf(2000))

    done = subprocess.run(
        [sys.executable, "manage.py", "replay_swf", str(log), "--simulate"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "2,000 of 2,000 jobs finished\n0 lost, 0 twice, 0 refused" in done.stdout, done.stderr
    assert done.returncode == 0
