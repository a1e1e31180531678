"""A round of a sweep: one bad item is named and left, a lost connection ends it."""

import pytest
from django.db import OperationalError, connection, transaction

from pandasite.base.models import SweepRun
from pandasite.base.rounds import Incomplete, Round
from pandasite.base.sweeps import run_sweep
from tests.base.trouble import database_error, raising


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "57014"])
def test_what_may_pass_is_left_for_next_time_and_the_round_goes_on(sqlstate):
    work = Round()

    work.do("job 1", lambda: 1)
    work.do("job 2", raising(database_error(sqlstate)))
    work.do("job 3", lambda: 2)

    with pytest.raises(Incomplete, match="1 left for next time: job 2: ") as left:
        work.end()
    assert left.value.rows == 3


@pytest.mark.parametrize(
    "error", [OperationalError("server closed the connection"), database_error("57P01"), KeyError()]
)
def test_a_lost_connection_or_a_fault_of_ours_ends_the_round(error):
    with pytest.raises(type(error)):
        Round().do("job 1", raising(error))


def test_a_round_without_trouble_counts_its_rows():
    work = Round()
    work.do("job 1", lambda: 2)

    assert work.end() == 2


def test_a_thousand_failures_are_counted_and_the_first_are_named():
    work = Round()
    for number in range(1000):
        work.do(f"job {number}", raising(database_error("55P03")))

    with pytest.raises(Incomplete) as left:
        work.end()

    assert str(left.value).startswith("1000 left for next time: job 0: ")
    assert "job 9:" in str(left.value) and "job 10:" not in str(left.value)


def refusing(bad, error):
    """Work over numbers that meets the error when the bad one is among them."""
    calls = []

    def work(numbers):
        calls.append(list(numbers))
        if bad in numbers:
            raise error
        return len(numbers)

    return work, calls


def test_items_that_meet_no_trouble_are_done_in_one_go():
    work, (do, calls) = Round(), refusing(9, KeyError())

    assert work.together([1, 2, 3], do) == []

    assert (work.end(), calls) == (3, [[1, 2, 3]])


def test_when_one_of_them_is_in_the_way_each_is_done_on_its_own():
    work, (do, calls) = Round(), refusing(2, database_error("40P01"))

    assert work.together([1, 2, 3], do, name=lambda n: f"job {n}") == [2]

    assert calls == [[1, 2, 3], [1], [2], [3]]
    with pytest.raises(Incomplete, match="1 left for next time: job 2: it was in a dead") as left:
        work.end()
    assert left.value.rows == 2


def test_a_round_that_is_over_does_one_of_them_and_leaves_the_rest():
    work, (do, calls) = Round(seconds=0), refusing(3, database_error("57014"))

    assert work.together([1, 2, 3], do) == []

    assert calls == [[1, 2, 3], [1]]
    assert work.end() == 1


def test_a_lost_connection_is_not_tried_one_by_one():
    do, calls = refusing(1, database_error("08006"))

    with pytest.raises(OperationalError):
        Round().together([1, 2], do)

    assert calls == [[1, 2]]


def test_no_items_are_no_work():
    assert Round().together([], raising(KeyError())) == []


@pytest.mark.django_db
def test_the_database_itself_says_what_may_pass():
    work = Round()

    def too_slow():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 10")
            cursor.execute("SELECT pg_sleep(5)")

    work.do("slow", too_slow)

    assert work.failures == ["slow: a statement took too long"]


@pytest.mark.django_db
def test_a_sweep_that_left_something_is_booked_as_not_all_good_and_is_not_late():
    def work(now):
        raise Incomplete(["job 2: a lock"], rows=7)

    assert run_sweep("jobs.watch", work) == 7

    run = SweepRun.objects.get()
    assert (run.ok, run.rows, run.error) == (False, 7, "1 left for next time: job 2: a lock")
    assert run.last_ok_at == run.ended_at


@pytest.mark.django_db
def test_a_sweep_that_failed_is_booked_and_raised_on():
    with pytest.raises(KeyError):
        run_sweep("jobs.watch", raising(KeyError("x")))

    run = SweepRun.objects.get()
    assert (run.ok, run.error, run.last_ok_at) == (False, "KeyError: 'x'", None)
