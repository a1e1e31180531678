"""The pure half of shares: the formula, the tree, and whose turn it is."""

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import Share
from jobs.shares.formula import overuse, own_priority, user_priority
from jobs.shares.tree import Node, leaf_of, problems, targets
from jobs.shares.turns import Fair, Waiting, in_turn, priorities
from pandasite.base.errors import BadInput
from tests.jobs.shares.load import shares

TREE = Node(
    children=(
        Node(
            id=1,
            name="higgs",
            working_group="higgs",
            percent=60,
            children=(
                Node(id=11, name="simul", processing_type="simul", percent=75),
                Node(id=12, name="rest", percent=25),
            ),
        ),
        Node(id=2, name="reco", processing_type="reco", percent=10),
        Node(id=3, name="top", working_group="top", percent=30),
    )
)


def test_the_priority_of_a_user_is_the_formula_of_2009():
    assert user_priority(offset=0, jobs=0, overused=0) == 1000
    assert user_priority(offset=50, jobs=104, overused=0) == 1030
    assert user_priority(offset=0, jobs=10, overused=2.5) == 748
    assert own_priority(500, overused=1) == 400


@pytest.mark.parametrize(
    ("used", "quota", "times"),
    [(5, 10, 0), (10, 10, 1), (25, 10, 2.5), (99, None, 0), (0, 0, 0), (1, 0, 100)],
)
def test_overuse_counts_from_once_the_quota_on(used, quota, times):
    assert overuse(used, quota) == times


@pytest.mark.parametrize(
    ("group", "kind", "leaf"),
    [
        ("higgs", "simul", 11),
        ("higgs", "reco", 12),  # the group says more than the type
        ("top", "reco", 3),
        ("other", "reco", 2),
        ("other", "evgen", None),
    ],
)
def test_a_job_belongs_to_the_leaf_that_says_most(group, kind, leaf):
    found = leaf_of(TREE, group, kind)

    assert (found.id if found else None) == leaf


def test_what_cannot_be_a_set_of_siblings_is_said_in_sentences():
    bad = [
        Node(name="a", working_group="x", percent=50),
        Node(name="b", working_group="x", percent=40),
    ]

    assert problems(bad) == [
        "the percentages add up to 90, not to 100", "b is for the same jobs as a",
    ]  # fmt: skip
    assert problems([]) == []


def test_targets_give_nobody_more_than_it_can_use_and_siblings_the_rest():
    demand = {11: 10, 12: 1000, 2: 0, 3: 1000}

    found = targets(TREE, demand, 100)

    assert found[11] == 10
    assert found[12] == pytest.approx(100 * 60 / 90 - 10)
    assert found[3] == pytest.approx(100 * 30 / 90)
    assert found[2] == 0


@given(
    st.dictionaries(st.sampled_from([11, 12, 2, 3]), st.floats(0, 1e4)),
    st.floats(0, 1e4),
)
def test_targets_add_up_to_what_there_is_or_is_wanted(demand, cores):
    found = targets(TREE, demand, cores)

    leaves = sum(found[leaf] for leaf in (11, 12, 2, 3))
    assert leaves == pytest.approx(min(cores, sum(demand.values())), abs=1e-6)
    assert all(found[leaf] <= demand.get(leaf, 0) + 1e-6 for leaf in (11, 12, 2, 3))


jobs_of = st.lists(
    st.builds(
        Waiting,
        panda_id=st.integers(1, 10**6),
        leaf=st.sampled_from([11, 12, 2, 3]),
        own=st.integers(-1000, 1000),
        current=st.integers(-1000, 2000),
        wanted=st.integers(-1000, 1000),
    ),
    unique_by=lambda job: job.panda_id,
)


@given(jobs_of, st.integers(1, 30))
def test_the_priorities_put_the_chosen_in_their_order_before_all_others(jobs, most):
    chosen = in_turn(Fair.of(TREE, {}), jobs, most)
    rest = [(job.own, job.panda_id) for job in jobs if job not in chosen]

    found = priorities(chosen, rest)

    turns = [(-found[job.panda_id], job.panda_id) for job in chosen]
    assert turns == sorted(turns)
    assert all(turn < (-own, panda_id) for turn in turns for own, panda_id in rest)
    assert len(chosen) == min(most, len(jobs))


def test_turns_follow_the_percentages_from_the_first_to_the_last():
    jobs = [
        Waiting(panda_id=i, leaf=leaf, own=0, current=0, wanted=0)
        for i, leaf in enumerate([3, 11] * 60)
    ]

    chosen = in_turn(Fair.of(TREE, {}), jobs, 60)

    for n in (12, 30, 60):
        assert sum(job.leaf == 11 for job in chosen[:n]) == pytest.approx(n * 60 / 90, abs=1)


# -- what the database holds -----------------------------------------------------------------------


@pytest.mark.django_db
def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(BadInput, match="all: the percentages add up to 90, not to 100"):
        shares(higgs=60, top=30)


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["sum", "cycle"])
def test_the_database_refuses_a_tree_that_is_none(what):
    shares(higgs=60, top=40)
    higgs, top = Share.objects.get(name="higgs"), Share.objects.get(name="top")

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        if what == "sum":
            Share.objects.filter(pk=top.pk).update(percent=30)
        else:
            Share.objects.filter(pk=top.pk).update(parent=higgs, percent=100)
            Share.objects.filter(pk=higgs.pk).update(parent=top, percent=100)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
