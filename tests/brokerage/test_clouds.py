"""Which cloud a task goes to, and the sentence of every other one."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.policy.clouds import CloudChoice, best_home, choose_cloud
from brokerage.policy.tasks import OTHERS, CloudOffer, TaskNeeds, Work, group_of

SIMULATION = "generation and simulation"


def offer(name: str = "US", **fields: object) -> CloudOffer:
    return CloudOffer(**{"name": name, "tier1": f"{name}_T1", "pilots": 10} | fields)  # type: ignore[arg-type]


def choose(needs: TaskNeeds, *offers: CloudOffer, seed: int = 1) -> CloudChoice:
    return choose_cloud(needs, offers, Random(seed))


def sentence(choice: CloudChoice, cloud: str = "US") -> str:
    return next(verdict.reason for verdict in choice.verdicts if verdict.cloud == cloud)


@pytest.mark.parametrize(
    ("needs", "there", "said"),
    [
        (TaskNeeds(cloud="FR"), offer(), "the request names cloud FR"),
        (
            TaskNeeds(),
            offer(status="offline", status_reason="cooling"),
            "the cloud is offline (cooling)",
        ),
        (
            TaskNeeds(validation=True),
            offer(),
            "it is a validation task, and this is no validation cloud",
        ),
        (
            TaskNeeds(processing_type="evgen", priority=701),
            offer(),
            (
                "event generation of priority 701, above 700, goes to fast-track clouds,"
                " and this is none"
            ),
        ),
        (
            TaskNeeds(input_dataset="mc09.in", input_files=1200),
            offer(),
            "none of the 1,200 files of mc09.in is at its Tier-1 US_T1",
        ),
        (
            TaskNeeds(jobs=1000),
            offer(free_gb=1500.0, work=(Work(OTHERS, 0, 2000),)),
            (
                "its Tier-1 has 1500 GB free, less 600 GB for 3,000 jobs to come leaves 900 GB,"
                " and 1024 must be"
            ),
        ),
        (
            TaskNeeds(processing_type="simul", priority=500),
            offer(share=2, work=(Work(SIMULATION, 500, 4001),)),
            (
                "4,001 jobs of generation and simulation at priority 500 or above are to be done"
                " there, more than 2,000 x its share 2 = 4,000"
            ),
        ),
    ],
    ids=["named", "status", "validation", "fasttrack", "inputs", "space", "load"],
)
def test_a_cloud_refuses_with_a_sentence_that_has_the_numbers(
    needs: TaskNeeds, there: CloudOffer, said: str
) -> None:
    choice = choose(needs, there)

    assert choice.chosen == ""
    assert sentence(choice) == said


@pytest.mark.parametrize(
    ("needs", "there"),
    [
        (TaskNeeds(cloud="US"), offer()),
        (TaskNeeds(validation=True), offer(validation=True)),
        (TaskNeeds(processing_type="evgen", priority=700), offer()),
        (TaskNeeds(processing_type="evgen", priority=701), offer(fasttrack=True)),
        (TaskNeeds(input_dataset="in", input_files=5), offer(held_files=1)),
        (TaskNeeds(jobs=880), offer(free_gb=1200.0)),
        (TaskNeeds(jobs=10**9), offer(free_gb=None)),
        (TaskNeeds(priority=500), offer(work=(Work(OTHERS, 500, 2000),))),
        (TaskNeeds(priority=500), offer(work=(Work(OTHERS, 499, 9000),))),
        (TaskNeeds(priority=500), offer(work=(Work("reprocessing", 900, 9000),))),
        (TaskNeeds(cloud="US", input_dataset="in", input_files=5), offer()),
    ],
    ids=[
        "named", "validation", "evgen-at-700", "fasttrack", "some-input", "space-just-enough",
        "space-unknown", "work-at-the-limit", "less-urgent-work", "another-group", "named-no-input",
    ],
)  # fmt: skip
def test_a_cloud_at_the_limit_may_take_it(needs: TaskNeeds, there: CloudOffer) -> None:
    assert choose(needs, there).chosen == "US"


def test_clouds_that_hold_more_of_the_input_come_first() -> None:
    needs = TaskNeeds(input_dataset="in", input_files=10)

    choice = choose(needs, offer("US", held_files=3), offer("FR", held_files=10))

    assert choice.chosen == "FR"
    assert sentence(choice) == "its Tier-1 holds 3 of 10 input files, others 10"


def test_a_cloud_with_little_work_for_its_share_comes_before_all_others() -> None:
    busy = offer("US", work=(Work(OTHERS, 0, 200),), pilots=10**6)

    choice = choose(TaskNeeds(), busy, offer("FR", work=(Work(OTHERS, 0, 199),)))

    assert choice.chosen == "FR"
    assert "first come clouds with fewer than 200 x their share: FR" in sentence(choice)


def test_the_draw_follows_the_weights() -> None:
    """Event generation by share: 3 to 1."""
    needs, us, fr = TaskNeeds(processing_type="evgen"), offer("US", share=3), offer("FR")

    drawn = Counter(choose(needs, us, fr, seed=seed).chosen for seed in range(400))

    assert drawn["US"] == pytest.approx(300, abs=40)


def test_other_work_is_drawn_by_pilots_for_the_work_there_is() -> None:
    us = offer("US", pilots=100, work=(Work(OTHERS, 0, 99),))

    choice = choose(TaskNeeds(), us, offer("FR", pilots=5))

    weights = {verdict.cloud: verdict.weight for verdict in choice.verdicts}
    assert weights == {"US": 1.0, "FR": 5.0}
    assert "100 nodes with pilots for 99 jobs to be done" in sentence(choice)


def test_the_same_seed_draws_the_same_cloud() -> None:
    offers = [offer(name) for name in ("CA", "FR", "US")]

    assert choose(TaskNeeds(), *offers, seed=7) == choose(TaskNeeds(), *reversed(offers), seed=7)


def test_clouds_without_pilots_are_alike() -> None:
    drawn = {choose(TaskNeeds(), offer("US", pilots=0), offer("FR", pilots=0), seed=seed).chosen
             for seed in range(20)}  # fmt: skip

    assert drawn == {"US", "FR"}


def test_a_cloud_that_has_taken_a_task_has_more_to_do() -> None:
    there = offer().taking(TaskNeeds(processing_type="simul", priority=5, jobs=300))

    assert there.all_work == 300
    assert there.ahead_of(TaskNeeds(processing_type="evgen", priority=5)) == 300
    assert there.ahead_of(TaskNeeds(processing_type="evgen", priority=6)) == 0


def test_the_input_of_a_simulation_goes_to_the_least_loaded_cloud_with_space() -> None:
    needs = TaskNeeds(processing_type="simul", input_dataset="in", input_files=5)
    full = offer("CA", free_gb=0.0)
    loaded = offer("FR", work=(Work(SIMULATION, 0, 50),))

    home = best_home(needs, [full, loaded, offer("US")])

    assert home is not None and home.name == "US"
    assert best_home(TaskNeeds(input_files=5), [offer()]) is None


def test_generation_and_simulation_compete_with_each_other() -> None:
    assert group_of("evgen") == group_of("simul") != group_of("reprocessing")
    assert group_of("moon") == OTHERS


OFFERS = st.lists(
    st.builds(
        CloudOffer,
        name=st.sampled_from(["CA", "DE", "FR", "US"]),
        status=st.sampled_from(["online", "offline"]),
        validation=st.booleans(),
        fasttrack=st.booleans(),
        free_gb=st.none() | st.floats(0, 5000),
        share=st.integers(1, 3),
        pilots=st.integers(0, 5),
        work=st.tuples(st.builds(Work, st.just(OTHERS), st.integers(0, 9), st.integers(0, 9000))),
        held_files=st.integers(0, 3),
    ),
    unique_by=lambda offer: offer.name,
    max_size=4,
)


@given(offers=OFFERS, priority=st.integers(0, 9), files=st.integers(0, 3), seed=st.integers(0, 99))
def test_every_cloud_has_its_sentence_and_only_an_accepted_one_is_chosen(
    offers: list[CloudOffer], priority: int, files: int, seed: int
) -> None:
    choice = choose_cloud(TaskNeeds(priority=priority, input_files=files), offers, Random(seed))

    accepted = {verdict.cloud for verdict in choice.verdicts if verdict.accepted}
    assert sorted(offer.name for offer in offers) == [v.cloud for v in choice.verdicts]
    assert all(verdict.reason for verdict in choice.verdicts)
    assert choice.chosen in accepted if accepted else choice.chosen == ""
