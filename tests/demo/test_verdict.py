"""The judgement on how jobs ended."""

from typing import Any

from pandasite.demo.productions import FINISHED, SEGMENTATION_FAULT, End, PlannedJob
from pandasite.demo.verdict import (
    Expectation,
    JobFacts,
    chains,
    deviations,
    lost,
    per_state,
    settled,
)

CRASHED = {"exe": 60010}


def expected(panda_id: int = 1, *ends: End) -> Expectation:
    plan = PlannedJob(submission={"job_name": f"job{panda_id}"}, ends=ends or (FINISHED,))
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
    wanted = expected(1, End("failed", "exe", 60010))

    assert deviations([wanted], [job(state="failed", errors={"exe": 60000})])


def test_a_second_error_beside_the_intended_one_is_a_deviation() -> None:
    wanted = expected(1, SEGMENTATION_FAULT)
    both = job(state="failed", errors={"exe": 60010, "pilot": 1305})

    assert deviations([wanted], [both])


def test_a_finished_job_with_an_error_code_is_a_deviation() -> None:
    assert deviations([expected()], [job(errors={"ddm": 200})])


def test_a_chain_of_failures_is_judged_link_by_link() -> None:
    wanted = expected(1, SEGMENTATION_FAULT, SEGMENTATION_FAULT)
    first = job(1, "failed", errors=CRASHED)

    assert deviations([wanted], [first, job(5, "failed", errors=CRASHED, retry_of=1)]) == []
    assert deviations([wanted], [first, job(5, "finished", retry_of=1)])
    assert "1 jobs in its chain, not 2" in deviations([wanted], [first])[0]


def test_an_unwanted_successor_is_a_deviation() -> None:
    found = [job(1, "failed", errors=CRASHED), job(2, "finished", retry_of=1)]

    assert "2 jobs in its chain, not 1" in deviations([expected()], found)[0]


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
    wanted = [expected(1, SEGMENTATION_FAULT, SEGMENTATION_FAULT)]
    first = job(1, "failed", errors=CRASHED)

    assert not settled(wanted, [first])
    assert not settled(wanted, [first, job(2, "running", retry_of=1)])
    assert settled(wanted, [first, job(2, "failed", errors=CRASHED, retry_of=1)])


def test_a_job_that_wrongly_finished_has_no_successor_to_wait_for() -> None:
    assert settled([expected(1, SEGMENTATION_FAULT, SEGMENTATION_FAULT)], [job(1)])


def test_jobs_are_counted_by_state() -> None:
    assert per_state([job(1), job(2), job(3, "failed")]) == {"finished": 2, "failed": 1}
