"""The jobs of a log come in at their moments, each once, also when a replay is started again."""

import datetime as dt
import sys

import pytest
from django.core.management import CommandError, call_command

from jobs.models import Job
from jobs.proddb import door
from pandasite.base.nudge import silence
from pandasite.replay import scratch
from pandasite.replay.entry import Entry, Payload
from pandasite.replay.production import ProductionEntry
from pandasite.replay.run import let_in
from pandasite.replay.swf import parse
from pandasite.replay.work import work_of
from tests.builders import NOW
from tests.replay.made import swf

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unsent():
    with silence():
        yield


class Clock:
    """It goes on by what is slept."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=max(seconds, 0.01))


def entry(jobs=60, **more):
    work = work_of(parse(swf(60).splitlines()[: 15 + jobs]), scale=10)
    return Entry(work=work, payload=Payload(**more), run="lcg")


def start(asked):
    clock = Clock()
    n = let_in(asked, say=lambda line: None, clock=clock, sleep=clock.sleep)
    return n, clock.now - NOW


def test_each_job_comes_in_at_its_moment_as_the_work_of_its_user_and_group():
    asked = entry(release="Atlas-15.0.0")

    n, took = start(asked)

    assert n == 60 == Job.objects.count()
    last = asked.work.jobs[-1]
    assert took.total_seconds() == pytest.approx(last.submit, abs=0.02)
    job = Job.objects.get(job_definition_id=last.number)
    assert (job.prod_user_id, job.working_group) == (last.user, last.group)
    assert (job.job_parameters, job.atlas_release) == (f"--seconds {last.run:g}", "Atlas-15.0.0")
    late = (job.creation_time - NOW).total_seconds() - last.submit
    assert 0 <= late < 0.1


def test_a_replay_that_is_started_again_goes_on_with_the_first_job_that_is_missing():
    start(entry(jobs=20))
    asked = entry()

    n, took = start(asked)

    assert n == 60 == Job.objects.count() == len(asked.entered)
    span = asked.work.jobs[-1].submit - asked.work.jobs[20].submit
    assert took.total_seconds() == pytest.approx(span, abs=0.05)
    assert start(entry())[0] == 60


def test_the_command_refuses_what_is_no_log(tmp_path):
    path = tmp_path / "log.swf"
    path.write_text("1 2 3\n")

    with pytest.raises(CommandError, match="line 1: 3 fields, not 18"):
        call_command("replay_swf", str(path))


@pytest.mark.parametrize("words", [["--scale", "0"], ["--slots", "-1"], ["--jobs", "x"]])
def test_an_option_out_of_range_is_refused(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["replay", "log.swf", *words])

    with pytest.raises(SystemExit):
        scratch.main()

    assert words[0] in capsys.readouterr().err


@pytest.mark.django_db(databases=["default", "proddb"])
def test_a_replay_asks_in_proddb_for_each_job_once_also_when_it_is_started_again():
    def asked(jobs):
        work = entry(jobs=jobs).work
        return ProductionEntry(work=work, payload=Payload(), run="lcg", cycles=False)

    start(asked(20))
    whole = asked(60)
    n, _took = start(whole)

    assert n == 60 == len(door.names_of_definitions(task_begins="lcg."))
    assert door.backlog().jobs == 60
    assert not Job.objects.exists(), "Bamboo's own cycle submits them"
