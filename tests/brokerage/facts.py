"""Builders for the policy's tests: a plain job and a plain site, which every rule lets pass."""

from typing import Any

from brokerage.policy import Choice, CloudRules, Limits, Needs, Offer, Verdict, choose

RELEASE = "Atlas-14.5.0"
PLATFORM = "x86_64-linux-py3"
INSTALLED = frozenset({(RELEASE, PLATFORM)})


def make_needs(**changed: Any) -> Needs:
    facts: dict[str, Any] = {
        "label": "managed",
        "processing_type": "simul",
        "priority": 500,
        "vo": "atlas",
        "release": RELEASE,
        "cmt_config": PLATFORM,
    }
    return Needs(**{**facts, **changed})


def make_offer(name: str = "AGLT2", **changed: Any) -> Offer:
    facts: dict[str, Any] = {
        "cloud": "US",
        "type": "both",
        "releases": INSTALLED,
        "pilots_recent": 10,
    }
    return Offer(name=name, **{**facts, **changed})


def make_cloud(name: str = "US", **changed: Any) -> CloudRules:
    return CloudRules(name=name, **{"tier1": "BNL_ATLAS_1", **changed})


def make_choice(
    needs: Needs, *offers: Offer, clouds: tuple[CloudRules, ...] = (), limits: Limits | None = None
) -> Choice:
    known = clouds or (make_cloud(),)
    return choose(
        needs=needs,
        offers=offers,
        clouds={cloud.name: cloud for cloud in known},
        limits=limits or Limits(),
    )


def judge(needs: Needs, offer: Offer, **cloud: Any) -> Verdict:
    """The verdict on one site, alone on its grid."""
    (verdict,) = make_choice(needs, offer, clouds=(make_cloud(**cloud),)).verdicts
    return verdict
