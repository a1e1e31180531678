"""The judgement on how jobs ended."""

from typing import Any

import pytest

from jobs.models import ErrorCode
from pandasite.demo.productions import (
    FINISHED,
    SEGMENTATION_FAULT,
    WRONG_CHECKSUM,
    End,
    PlannedJob,
)
from pandasite.demo.verdict import (
    Expectation,
    JobFacts,
    chains,
    deviations,
    lost,
    per_state,
    settled,
)
from pandasite.demo.watch import as_administered

CRASHED = {"exe": 60010}


def expected(panda_id: int = 1, end: End = FINISHED) -> Expectation:
    plan = PlannedJob(submission={"job_name": f"job{panda_id}", "max_attempt": 2}, end=end)
    return Expectation(panda_id=panda_id, plan=plan)


def job(panda_id: int = 1, state: str = "finished", **more: Any) -> JobFacts:
    return JobFacts(panda_id=panda_id, name=f"job{panda_id}", state=state, **more)


def test_a_finished_job_that_should_finish_is_no_deviation() -> None:
    assert deviations([expected()], [job()]) == []


def test_a_job_that_ends_otherwise_is_named_with_both_ends() -> None:
    failed = job(state="failed", errors={"pilot": 1165}, diag="gone")

    [sentence] = deviations([expected()], [failed])

    assert sentence == "job1 (PandaID 1) ended failed pilot 1165 (gone), intended finished"


def test_the_right_state_with_another_code_is_a_deviation() -> None:
    wanted = expected(1, SEGMENTATION_FAULT)

    assert deviations([wanted], [job(state="failed", errors={"exe": 60000})])


def test_a_second_error_beside_the_intended_one_is_a_deviation() -> None:
    wanted = expected(1, SEGMENTATION_FAULT)
    both = job(state="failed", errors={"exe": 60010, "pilot": 1305})

    assert deviations([wanted], [both])


def test_a_finished_job_with_an_error_code_is_a_deviation() -> None:
    assert deviations([expected()], [job(errors={"ddm": 200})])


def test_a_chain_of_failures_is_judged_link_by_link() -> None:
    wanted = expected(1, SEGMENTATION_FAULT)
    first = job(1, "failed", errors=CRASHED, attempts=1)
    second = job(5, "failed", errors=CRASHED, retry_of=1, attempts=2)

    assert deviations([wanted], [first, second]) == []
    assert deviations([wanted], [first, job(5, "finished", retry_of=1, attempts=2)])


def test_a_failure_without_its_successor_is_a_deviation() -> None:
    found = [job(1, "failed", errors=CRASHED, attempts=1)]

    [sentence] = deviations([expected(1, SEGMENTATION_FAULT)], found)

    assert sentence.endswith("as intended, but at attempt 1 of 2")


@pytest.mark.django_db
def test_a_failure_that_an_administrator_marked_needs_no_successor() -> None:
    # given
    ErrorCode.objects.filter(component="exe", code=60010).update(do_not_retry=True)
    plans = [expected(1, SEGMENTATION_FAULT).plan, expected(2).plan]
    # when
    crash, fine = as_administered(plans)
    # then
    found = [job(1, "failed", errors=CRASHED, attempts=1)]
    assert deviations([Expectation(panda_id=1, plan=crash)], found) == []
    assert fine == plans[1]


def test_an_attempt_that_was_lost_with_its_pilot_counts_like_a_failed_one() -> None:
    once_lost = job(1, "failed", errors=CRASHED, attempts=2)

    assert deviations([expected(1, SEGMENTATION_FAULT)], [once_lost]) == []


def test_a_failure_that_no_retry_can_mend_has_no_successor() -> None:
    wanted, wrong = expected(1, WRONG_CHECKSUM), {"ddm": 100}
    first = job(1, "failed", errors=wrong)

    assert deviations([wanted], [first]) == []
    assert deviations([wanted], [first, job(2, "failed", errors=wrong, retry_of=1)])


def test_an_unwanted_successor_is_a_deviation() -> None:
    found = [job(1, "finished"), job(2, "finished", retry_of=1)]

    assert "a successor that it should not have" in deviations([expected()], found)[0]


def test_a_job_whose_pilot_was_ended_is_judged_by_its_successor() -> None:
    ended = job(1, "failed", errors={"pilot": 1201}, attempts=1)

    assert deviations([expected()], [ended, job(2, "finished", retry_of=1, attempts=2)]) == []
    assert deviations([expected()], [ended])


def test_a_failing_job_whose_last_attempt_was_lost_with_its_pilot_failed_as_intended() -> None:
    wanted = expected(1, SEGMENTATION_FAULT)
    first = job(1, "failed", errors=CRASHED, attempts=1)
    last = job(2, "failed", errors={"job_dispatcher": 100}, retry_of=1, attempts=2)

    assert deviations([wanted], [first, last]) == []
    assert deviations([expected(1)], [job(1, "failed", errors=last.errors, attempts=2)])


def test_chains_follow_successors_of_successors() -> None:
    found = chains([job(9, retry_of=4), job(1), job(4, retry_of=1), job(2)])

    assert {first: [link.panda_id for link in chain] for first, chain in found.items()} == {
        1: [1, 4, 9],
        2: [2],
    }


def test_a_job_without_a_row_is_lost() -> None:
    assert lost([expected(1), expected(2)], [job(1)]) == 1
    assert "lost" in deviations([expected(2)], [job(1)])[0]


def test_a_job_that_is_not_final_is_lost_when_the_watch_ends() -> None:
    assert lost([expected()], [job(state="holding")]) == 1


def test_nothing_is_settled_while_a_job_runs() -> None:
    assert not settled([expected(1), expected(2)], [job(1), job(2, "running")])
    assert settled([expected(1), expected(2)], [job(1), job(2)])


def test_a_failed_job_is_not_settled_before_its_successor_is() -> None:
    wanted = [expected(1, SEGMENTATION_FAULT)]
    first = job(1, "failed", errors=CRASHED)

    assert not settled(wanted, [first, job(2, "running", retry_of=1)])
    assert settled(wanted, [first, job(2, "failed", errors=CRASHED, retry_of=1)])


def test_jobs_are_counted_by_state() -> None:
    assert per_state([job(1), job(2), job(3, "failed")]) == {"finished": 2, "failed": 1}
