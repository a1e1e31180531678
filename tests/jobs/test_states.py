"""The table of moves, as data."""

import pytest

from jobs.states import (
    FINAL,
    LEASED,
    LIVE,
    MOVES,
    QUEUED,
    REPORTED,
    JobState,
    legal,
    may,
    since,
)

S = JobState


def test_there_are_twelve_states_and_no_others():
    names = {state.value for state in JobState}

    assert names == {
        "defined", "waiting", "assigned", "activated", "sent", "starting", "running",
        "holding", "transferring", "finished", "failed", "cancelled",
    }  # fmt: skip


def test_every_state_has_its_line_in_the_table():
    assert set(MOVES) == set(JobState)


@pytest.mark.parametrize("state", FINAL)
def test_nothing_follows_a_final_state(state):
    assert MOVES[state] == frozenset()
    assert legal(state) == []


@pytest.mark.parametrize("state", LIVE)
def test_every_live_state_can_reach_an_end(state):
    seen, front = set(), {state}
    while front:
        seen |= front
        front = {after for one in front for after in MOVES[one]} - seen

    assert S.FAILED in seen
    assert S.FINISHED in seen


def test_every_state_is_reached_from_the_states_of_birth():
    seen, front = set(), {S.DEFINED, S.WAITING}
    while front:
        seen |= front
        front = {after for one in front for after in MOVES[one]} - seen

    assert seen == set(JobState)


def test_no_state_follows_itself():
    assert not [state for state in JobState if may(state, state)]


def test_queued_leased_and_final_states_do_not_overlap():
    assert not set(QUEUED) & set(LEASED)
    assert not set(LEASED) & set(FINAL)
    assert set(LIVE) | set(FINAL) == set(JobState)
    assert set(LIVE) - set(QUEUED) - set(LEASED) == {S.HOLDING, S.TRANSFERRING}


@pytest.mark.parametrize("state", [*QUEUED, *LEASED])
def test_a_job_can_be_cancelled_until_its_pilot_has_had_the_final_word(state):
    assert may(state, S.CANCELLED)


@pytest.mark.parametrize("state", [S.HOLDING, S.TRANSFERRING])
def test_a_job_whose_work_is_done_is_not_cancelled(state):
    assert not may(state, S.CANCELLED)


@pytest.mark.parametrize("state", LIVE)
def test_every_live_state_may_fail(state):
    assert may(state, S.FAILED)


@pytest.mark.parametrize("state", LEASED)
def test_a_lost_pilot_brings_the_job_back_to_activated(state):
    assert may(state, S.ACTIVATED)


def test_only_a_claim_hands_a_job_to_a_pilot():
    assert since(S.SENT) == (S.ACTIVATED,)


def test_only_the_register_sweep_finishes_jobs():
    assert set(since(S.FINISHED)) == {S.HOLDING, S.TRANSFERRING}


def test_since_is_the_table_read_backwards():
    for to in JobState:
        assert set(since(to)) == {state for state in JobState if to in MOVES[state]}


def test_what_a_pilot_says_leads_to_a_state_that_follows_every_leased_one():
    for word in ("running", "finished", "failed"):
        for state in LEASED:
            assert REPORTED[word] == state or may(state, REPORTED[word])


def test_the_legal_moves_are_listed_in_the_order_of_a_jobs_life():
    assert legal(S.HOLDING) == ["transferring", "finished", "failed"]
