"""Whose turn it is in a round of brokerage, and what a bunch that fails does to the others."""

from threading import Thread

import pytest
from django.db import OperationalError, connection, connections, transaction

from jobs import applicants, assign, placing
from jobs.models import BrokerageDecision, Job
from pandasite.base.rounds import Incomplete
from tests.base.trouble import database_error
from tests.builders import NOW, after, create_file, create_job, local_storage, manned_site

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


# -- whose turn it is --------------------------------------------------------------------------


def needy_jobs(n):
    """Urgent jobs that no site can take, each a bunch of its own."""
    return [create_job(min_ram_count=64_000 + i, current_priority=900) for i in range(n)]


def test_urgent_jobs_are_placed_first_when_a_round_is_short():
    manned_site()
    low, high = create_job("defined"), create_job("defined", current_priority=900)

    assign.run(NOW, seconds=0)

    assert (fresh(low).state, fresh(high).state) == ("defined", "activated")


def test_jobs_that_fit_nowhere_do_not_keep_those_behind_them_from_a_site(monkeypatch):
    monkeypatch.setattr(applicants, "PAGE", 2)
    manned_site(memory_mb=1000)
    needy_jobs(5)
    modest = create_job("defined")

    assert assign.run(NOW) == 1

    assert fresh(modest).state == "activated"


def test_a_round_without_time_for_all_goes_on_where_the_last_one_stopped(monkeypatch):
    monkeypatch.setattr(applicants, "PAGE", 2)
    manned_site(memory_mb=1000)
    needy = needy_jobs(3)
    modest = create_job("defined")

    for minutes in range(3):
        assign.run(after(minutes=minutes), seconds=0)
    assert fresh(modest).state == "defined"
    assign.run(after(minutes=3), seconds=0)

    assert fresh(modest).state == "activated"
    assert [fresh(job).considered_at for job in needy] == [after(minutes=n) for n in range(3)]


def test_of_the_jobs_that_were_looked_at_the_longest_ago_comes_first():
    site = manned_site(memory_mb=1000)
    recent = create_job(min_ram_count=2000, current_priority=900, considered_at=after(hours=-1))
    long_ago = create_job(min_ram_count=2000, considered_at=after(hours=-2))
    type(site).objects.update(memory_mb=0)

    assign.run(NOW, seconds=0)

    assert (fresh(recent).state, fresh(long_ago).state) == ("defined", "activated")


def test_the_same_refusal_with_other_numbers_is_no_new_decision():
    site = manned_site(memory_mb=1000)
    job = create_job(min_ram_count=4000)
    for minutes, memory_mb in ((0, 2000), (1, 3000)):
        assign.run(after(minutes=minutes))
        type(site).objects.update(memory_mb=memory_mb)
    first = BrokerageDecision.objects.get()

    type(site).objects.update(status="brokeroff")
    assign.run(after(minutes=2))

    assert fresh(job).decision_id > first.pk
    assert BrokerageDecision.objects.count() == 2


def test_a_page_ends_where_its_jobs_read_too_many_files(monkeypatch):
    monkeypatch.setattr(applicants, "FILES", 3)
    glutton = create_job(inputs=[create_file() for _ in range(5)])
    pair = [create_job(inputs=[create_file(), create_file()]) for _ in range(2)]

    pages = [[job.panda_id for job in page] for page in applicants.pages(NOW)]

    assert pages == [[glutton.pk], [pair[0].pk], [pair[1].pk]]


def test_a_round_works_through_short_pages(monkeypatch):
    monkeypatch.setattr(applicants, "FILES", 1)
    site = manned_site()
    storage = local_storage(site)
    jobs = [create_job(inputs=[create_file(at=[storage])]) for _ in range(3)]

    assert assign.run(NOW) == 3
    assert {fresh(job).state for job in jobs} == {"activated"}


def test_a_round_looks_at_each_job_once_though_somebody_holds_some_of_them(monkeypatch):
    monkeypatch.setattr(applicants, "PAGE", 2)
    looked = []

    def held_by_somebody(decided, facts, now):
        looked.extend(len(one.bunch) for one in decided)
        return 0

    monkeypatch.setattr(placing, "write", held_by_somebody)
    manned_site()
    for _ in range(3):
        create_job("defined")

    assign.run(NOW)

    assert looked == [2]


# -- a bunch that fails ------------------------------------------------------------------------


@pytest.fixture
def trouble(monkeypatch):
    """`trouble(job, error)`: whoever is about to place the job meets the error."""
    write = placing.write

    def arrange(job, error):
        def meeting_it(decided, facts, now):
            with transaction.atomic():
                moved = write(decided, facts, now)
                if any(job.pk == other.panda_id for one in decided for other in one.bunch):
                    raise error
            return moved

        monkeypatch.setattr(placing, "write", meeting_it)

    return arrange


@pytest.mark.parametrize("pgcode", ["55P03", "40P01", "40001", "57014"])
def test_a_bunch_that_meets_a_lock_or_a_limit_leaves_the_others_alone(trouble, pgcode):
    manned_site()
    unlucky, lucky = create_job(current_priority=900), create_job("defined")
    trouble(unlucky, database_error(pgcode))

    with pytest.raises(Incomplete, match=f"^1 left for next time: jobs {unlucky.pk}: ") as caught:
        assign.run(NOW)

    assert caught.value.rows == 1
    assert (fresh(unlucky).state, fresh(lucky).state) == ("defined", "activated")


def test_a_bunch_that_failed_waits_its_turn(trouble):
    manned_site()
    unlucky = create_job(current_priority=900)
    trouble(unlucky, database_error("57014"))
    with pytest.raises(Incomplete):
        assign.run(NOW)
    behind = create_job("defined")

    assign.run(after(minutes=1), seconds=0)

    assert fresh(unlucky).considered_at == NOW
    assert fresh(behind).state == "activated"


def test_a_lost_connection_ends_the_round(trouble):
    manned_site()
    first, second = create_job(current_priority=900), create_job("defined")
    trouble(first, database_error("08006"))

    with pytest.raises(OperationalError):
        assign.run(NOW)

    assert fresh(second).state == "defined"


@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_holds_does_not_hold_up_the_round():
    manned_site(memory_mb=1000)
    held, modest = create_job(min_ram_count=2000, current_priority=900), create_job("defined")
    answers = []

    def broker():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        answers.append(assign.run(NOW))
        connections.close_all()

    with transaction.atomic():
        Job.objects.select_for_update().get(pk=held.pk)
        thread = Thread(target=broker)
        thread.start()
        thread.join(60)

    assert answers == [1]
    assert fresh(modest).state == "activated"
