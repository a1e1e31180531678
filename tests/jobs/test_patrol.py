"""Rounds of sweeps that cannot look at all jobs: the news first, then a part of all in turn."""

import pytest

from datasets.models import Transfer
from jobs import activate, arrival, wake
from jobs.models import Job
from pandasite.base import patrol as patrols
from pandasite.base.models import Patrol
from pandasite.base.patrol import patrol
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_replica,
    create_site,
    create_storage,
    create_transfer,
    local_storage,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_parts(monkeypatch):
    """Two rows a round, however long ago the last one was."""
    monkeypatch.setattr(patrols, "LEAST", 2)
    monkeypatch.setattr(patrols, "RATE", 0)


class Watch:
    """A sweep over all jobs that only notes what it was told to look at."""

    def __init__(self, *, news=(), finds_time=True):
        self.news, self.finds_time, self.seen, self.asked = news, finds_time, [], []

    def run(self, now):
        self.seen = []
        patrol("test", Job.objects.all(), news=self._news, look=self._look, now=now)
        return self.seen

    def _news(self, since):
        self.asked.append(since)
        return Job.objects.filter(pk__in=self.news).values_list("pk", flat=True).order_by()

    def _look(self, work, panda_ids, now):
        self.seen += panda_ids
        return self.finds_time


def some_jobs(n):
    return [create_job("waiting").pk for _ in range(n)]


# -- the patrol --------------------------------------------------------------------------------


def test_each_round_looks_at_the_next_part_and_the_last_one_is_followed_by_the_first(small_parts):
    one, two, three = some_jobs(3)
    watch = Watch()

    rounds = [watch.run(after(minutes=n)) for n in range(3)]

    assert rounds == [[one, two], [three], [one, two]]


def test_a_part_for_which_there_was_no_time_comes_again(small_parts):
    one, two, _three = some_jobs(3)

    Watch(finds_time=False).run(NOW)

    assert Watch().run(after(minutes=1)) == [one, two]


def test_a_patrol_goes_as_far_as_the_time_since_the_last_one_allows(monkeypatch):
    monkeypatch.setattr(patrols, "LEAST", 1)
    monkeypatch.setattr(patrols, "RATE", 1)
    jobs, watch = some_jobs(9), Watch()
    watch.run(NOW)

    assert watch.run(after(seconds=3)) == jobs[:3]
    assert watch.run(after(seconds=4)) == jobs[3:4]


def test_a_round_is_remembered_by_its_sweep_alone(small_parts):
    some_jobs(3)

    Watch().run(NOW)

    assert [row.name for row in Patrol.objects.all()] == ["test"]


# -- the news ----------------------------------------------------------------------------------


def test_news_come_first_and_are_not_looked_at_twice(small_parts):
    one, two, three = some_jobs(3)

    assert Watch(news=[three, two]).run(NOW) == [two, three, one]


def test_news_are_asked_for_since_the_last_round_and_a_little_longer():
    watch = Watch()
    watch.run(NOW)
    watch.run(after(minutes=5))

    assert watch.asked[1] == NOW - patrols.MARGIN


def test_news_for_which_there_was_no_time_are_asked_for_again():
    watch = Watch(news=some_jobs(1), finds_time=False)
    watch.run(NOW)
    watch.run(after(minutes=5))

    assert watch.asked[0] == watch.asked[1]


# -- what is news to whom ----------------------------------------------------------------------


@pytest.fixture
def elsewhere():
    """The patrols are far behind these jobs: a round sees only what is news since NOW."""
    for name in ("jobs.activate", "jobs.wake", "jobs.complete_transfers"):
        Patrol.objects.create(name=name, after=2**60, news_until=NOW)


def test_a_transfer_that_ended_well_is_news_to_the_job_that_waits_for_its_file(elsewhere):
    site, file = create_site(), create_file()
    job, other = (create_job("assigned", site=site, inputs=[f]) for f in (file, create_file()))
    create_transfer(file, local_storage(site), state="done", ended_at=NOW)
    create_replica(file, local_storage(site))

    assert activate.run(after(seconds=1)) == 1

    assert [Job.objects.get(pk=j.pk).state for j in (job, other)] == ["activated", "assigned"]


def test_a_transfer_that_was_given_up_is_news_to_the_job_too(elsewhere):
    site, file = create_site(), create_file()
    job = create_job("assigned", site=site, inputs=[file])
    create_transfer(file, local_storage(site), state="failed", permanent=True, ended_at=NOW)

    assert activate.run(after(seconds=1)) == 1

    assert Job.objects.get(pk=job.pk).state == "failed"


def test_an_output_that_came_home_is_news_to_its_job(elsewhere):
    home, file = create_storage(), create_file()
    job = create_job("transferring", destination_se=home)
    block = create_dataset("mc09.HIST_sub01", type="sub", destination=home)
    job.files.create(
        type="output", scope=file.scope, lfn=file.lfn, file=file, block=block,
        status="transferring", size=1, adler32=ADLER32, guid=GUID,
    )  # fmt: skip
    create_replica(file, home)
    Transfer.objects.create(
        file=file, destination=home, state="done", created_at=NOW, next_try_at=NOW, ended_at=NOW
    )

    assert arrival.run(after(seconds=1)) == 1

    assert Job.objects.get(pk=job.pk).state == "finished"


def test_a_new_replica_is_news_to_the_job_that_waits_for_a_file_of_that_name(elsewhere):
    job, other = create_job("waiting"), create_job("waiting")
    job.files.create(type="input", scope="mc09", lfn="EVNT.1")
    other.files.create(type="input", scope="mc09", lfn="EVNT.2")
    create_file("EVNT.1", at=[create_storage()])

    assert wake.run(after(seconds=1)) == 1

    assert [Job.objects.get(pk=j.pk).state for j in (job, other)] == ["defined", "waiting"]


def test_what_happened_long_before_the_last_round_is_no_news(elsewhere):
    site, file = create_site(), create_file()
    create_job("assigned", site=site, inputs=[file])
    create_transfer(file, local_storage(site), state="done", ended_at=after(hours=-2))
    create_replica(file, local_storage(site))

    assert activate.run(NOW) == 0
