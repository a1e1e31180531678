"""The grid of a round: what is remembered of it changes no choice."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.policy import Choice, CloudRules, Grid, Limits, Needs, Offer, choose, choose_from
from brokerage.policy import grid as grid_module

from .facts import make_cloud, make_needs, make_offer
from .test_policy_properties import CLOUDS, NEEDS, OFFERS


def grid_of(*offers: Offer) -> Grid:
    return Grid(offers=offers, clouds={"US": make_cloud()}, limits=Limits())


HISTORY = st.lists(
    st.tuples(NEEDS, st.dictionaries(st.sampled_from(["S1", "S2", "S3"]), st.integers(0, 3))),
    max_size=6,
)


@given(OFFERS, CLOUDS, HISTORY)
@settings(max_examples=120)
def test_a_grid_that_remembers_chooses_as_one_that_is_asked_anew(
    offers: list[Offer], clouds: dict[str, CloudRules], history: list[tuple[Needs, dict[str, int]]]
) -> None:
    grid = Grid(offers=offers, clouds=clouds, limits=Limits())
    for needs, held in [*history, *history]:  # the second time it has heard of all of them
        anew = Grid(offers=grid.offers.values(), clouds=clouds, limits=Limits())

        choice = choose_from(grid, needs, held=held)

        assert choice == choose_from(anew, needs, held=held)
        if choice.site is not None:
            grid.took(choice.site, needs.n_jobs)


@given(NEEDS, OFFERS, CLOUDS, st.integers(1, 9))
@settings(max_examples=80)
def test_how_many_verdicts_are_kept_changes_no_choice(
    needs: Needs, offers: list[Offer], clouds: dict[str, CloudRules], keep: int
) -> None:
    grid = Grid(offers=offers, clouds=clouds, limits=Limits())
    whole = choose(needs=needs, offers=offers, clouds=clouds, limits=Limits())

    short = choose_from(grid, needs, keep=keep)

    assert (short.site, short.reason) == (whole.site, whole.reason)
    assert short.verdicts == whole.verdicts[:keep]
    assert len(short.verdicts) + short.left_out == len(whole.verdicts)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sites that were judged, in order."""
    names: list[str] = []
    judge = grid_module.judge

    def counting(needs: Needs, offer: Offer, rules: Any) -> Any:
        names.append(offer.name)
        return judge(needs, offer, rules)

    monkeypatch.setattr(grid_module, "judge", counting)
    return names


def test_a_site_is_asked_again_only_when_its_offer_has_changed(asked: list[str]) -> None:
    grid = grid_of(make_offer("A"), make_offer("B"), make_offer("C"))
    choose_from(grid, make_needs())
    asked.clear()

    choose_from(grid, make_needs())
    grid.took("B", 20)
    choose_from(grid, make_needs())

    assert asked == ["B"]


def test_sites_are_not_asked_again_for_the_files_that_they_hold(asked: list[str]) -> None:
    grid = grid_of(make_offer("A"), make_offer("B"))
    needs = make_needs(total_input_files=9)
    choose_from(grid, needs)
    asked.clear()

    choices = [choose_from(grid, needs, held={"B": n}) for n in (4, 7)]

    assert asked == []
    assert [(choice.site, choice.verdicts[0].held_files) for choice in choices] == [
        ("B", 4),
        ("B", 7),
    ]


def test_what_was_heard_long_ago_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    monkeypatch.setattr(grid_module, "REMEMBERED", 2)
    grid = grid_of(make_offer("A"))

    for memory_mb in (1, 2, 1, 3, 1, 2):
        choose_from(grid, make_needs(memory_mb=memory_mb))

    assert len(asked) == 4  # 1, 2, 3, and 2 again


def test_a_site_is_asked_about_a_bunch_whatever_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, int]] = []

    def nosy(needs: Needs, offer: Offer, rules: Any) -> list[tuple[str, str]]:
        told.append((needs.n_jobs, needs.total_input_files, offer.held_files))
        return []

    monkeypatch.setattr(grid_module, "refusals", nosy)

    choice: Choice = choose_from(
        grid_of(make_offer(held_files=5)), make_needs(n_jobs=20, total_input_files=7)
    )

    assert (choice.site, told) == ("AGLT2", [(20, 1, 0)])
    assert choice.verdicts[0].held_files == 5
