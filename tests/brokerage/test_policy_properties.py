"""What holds for every job and every grid."""

import json
import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.policy import Choice, CloudRules, Limits, Needs, Offer, choose, explain_lines

SMALL = st.integers(0, 3)
RELEASES = st.frozensets(st.tuples(st.sampled_from(["r1", "r2"]), st.just("p")), max_size=2)
VOS = st.frozensets(st.sampled_from(["atlas", "charmm"]), max_size=1)
CLOUD_NAMES = st.sampled_from(["US", "FR"])

NEEDS = st.builds(
    Needs,
    label=st.sampled_from(["managed", "user", "test", "install", "ddm"]),
    cloud=st.none() | CLOUD_NAMES,
    site=st.none() | st.sampled_from(["S1", "S2"]),
    processing_type=st.sampled_from(["simul", "evgen", "reprocessing", "prod_test"]),
    priority=st.sampled_from([0, 800, 960]),
    vo=st.sampled_from(["", "atlas"]),
    release=st.sampled_from(["", "r1", "r1\nr2"]),
    cmt_config=st.sampled_from(["", "p"]),
    memory_mb=SMALL,
    core_count=SMALL,
    input_files=st.integers(0, 6),
    total_input_files=SMALL,
)
OFFERS = st.lists(
    st.builds(
        Offer,
        name=st.integers(1, 60).map(lambda n: f"S{n}"),
        cloud=CLOUD_NAMES,
        tier=st.integers(1, 3),
        type=st.sampled_from(["production", "analysis", "both"]),
        status=st.sampled_from(["online", "online", "online", "test", "brokeroff", "offline"]),
        status_reason=st.text(max_size=255),
        memory_mb=SMALL,
        vos=VOS,
        releases=RELEASES,
        validated_releases=RELEASES,
        pilots_recent=SMALL,
        assigned=SMALL,
        activated=SMALL,
        running=SMALL,
        updating_nodes=SMALL,
        free_gb=st.none() | st.floats(0, 3),
        held_files=SMALL,
    ),
    unique_by=lambda offer: offer.name,
    max_size=8,
)
CLOUDS = st.fixed_dictionaries(
    {
        name: st.builds(
            CloudRules,
            name=st.just(name),
            status=st.sampled_from(["online", "offline"]),
            tier1=st.none() | st.sampled_from(["S1", "S2"]),
            weight=st.floats(-1, 9),
            fasttrack=st.booleans(),
        )
        for name in ("US", "FR")
    }
)


def chosen(needs: Needs, offers: list[Offer], clouds: dict[str, CloudRules]) -> Choice:
    return choose(needs=needs, offers=offers, clouds=clouds, limits=Limits())


@given(NEEDS, OFFERS, CLOUDS)
@settings(max_examples=120)
def test_the_chosen_site_is_an_accepted_one_and_none_is_chosen_only_if_all_refuse(
    needs: Needs, offers: list[Offer], clouds: dict[str, CloudRules]
) -> None:
    choice = chosen(needs, offers, clouds)

    accepted = [verdict.site for verdict in choice.verdicts if verdict.accepted]
    assert choice.site == (accepted[0] if accepted else None)
    assert not (choice.release_nowhere and choice.site)


@given(NEEDS, OFFERS, CLOUDS)
@settings(max_examples=120)
def test_every_verdict_has_a_reason_and_a_weight_or_a_rule(
    needs: Needs, offers: list[Offer], clouds: dict[str, CloudRules]
) -> None:
    choice = chosen(needs, offers, clouds)

    assert choice.reason
    for verdict in choice.verdicts:
        assert verdict.reason
        assert bool(verdict.rule) != verdict.accepted
        assert (verdict.weight is not None) == verdict.accepted
        assert verdict.weight is None or (verdict.weight >= 0 and math.isfinite(verdict.weight))


@given(NEEDS, OFFERS, CLOUDS, st.randoms(use_true_random=False))
@settings(max_examples=120)
def test_the_order_of_the_offers_changes_nothing(
    needs: Needs, offers: list[Offer], clouds: dict[str, CloudRules], chance: random.Random
) -> None:
    shuffled = chance.sample(offers, len(offers))

    assert chosen(needs, shuffled, clouds) == chosen(needs, offers, clouds)


@given(NEEDS, OFFERS, CLOUDS)
@settings(max_examples=120)
def test_a_site_that_refuses_has_no_say_in_the_choice(
    needs: Needs, offers: list[Offer], clouds: dict[str, CloudRules]
) -> None:
    choice = chosen(needs, offers, clouds)

    able = {verdict.site for verdict in choice.verdicts if verdict.accepted}
    assert chosen(needs, [o for o in offers if o.name in able], clouds).site == choice.site


@given(NEEDS, OFFERS, CLOUDS)
@settings(max_examples=120)
def test_a_stored_choice_explains_itself_as_the_fresh_one(
    needs: Needs, offers: list[Offer], clouds: dict[str, CloudRules]
) -> None:
    choice = chosen(needs, offers, clouds)

    stored = json.loads(json.dumps(choice.as_json(), allow_nan=False))

    again = Choice.from_json(stored)
    assert again.as_json() == stored
    assert (again.site, len(again.verdicts)) == (choice.site, len(choice.verdicts))
    assert explain_lines(again)
