"""The filters: for each rule what it lets pass, and the exact sentence of its refusal."""

import pytest

from brokerage.policy import Limits
from brokerage.policy.filters import FILTERS

from .facts import PLATFORM, judge, make_choice, make_cloud, make_needs, make_offer
from .rules import REFUSED, TAKEN, Facts


@pytest.mark.parametrize(("rule", "needs", "offer", "cloud", "sentence"), REFUSED)
def test_a_rule_refuses_with_its_numbers(
    rule: str, needs: Facts, offer: Facts, cloud: Facts, sentence: str
) -> None:
    verdict = judge(make_needs(**needs), make_offer(**offer), **cloud)

    assert (verdict.accepted, verdict.rule, verdict.reason) == (False, rule, sentence)
    assert verdict.weight is None


@pytest.mark.parametrize(
    ("needs", "offer", "cloud"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN]
)
def test_a_rule_lets_pass(needs: Facts, offer: Facts, cloud: Facts) -> None:
    verdict = judge(make_needs(**needs), make_offer(**offer), **cloud)

    assert (verdict.accepted, verdict.rule) == (True, "")


def test_every_rule_has_a_refusing_row() -> None:
    assert {row[0] for row in REFUSED} == {rule.__name__ for rule in FILTERS}


def test_the_first_rule_that_refuses_gives_the_reason_and_the_others_the_details() -> None:
    needs = make_needs(memory_mb=4000, release="Atlas-15.0.0")
    offer = make_offer(memory_mb=2000, pilots_recent=0)

    verdict = judge(needs, offer)

    assert verdict.reason == f"release Atlas-15.0.0 for {PLATFORM} is not installed"
    assert verdict.details == (
        "needs 4000 MB per slot, site offers 2000 MB",
        "no pilot was seen in the last 3 h",
    )


def test_the_numbers_of_the_rules_are_limits_that_can_be_changed() -> None:
    limits = Limits(space_per_job_gb=1, evidence_hours=0.5, high_priority=100)
    offer = make_offer(free_gb=10.0, running=11, pilots_recent=0)

    choice = make_choice(make_needs(), offer, clouds=(make_cloud(),), limits=limits)

    assert choice.verdicts[0].reason.startswith("production of priority 500, 100 or more")
    assert choice.verdicts[0].details == (
        "no pilot was seen in the last 0.5 h",
        "10 GB free less 1 GB for each of 11 jobs is -1 GB, the Tier-2 threshold is 0 GB",
    )
