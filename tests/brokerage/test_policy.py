"""The filters: for each rule what it lets pass, and the exact sentence of its refusal."""

from typing import Any

import pytest

from brokerage.policy import Limits
from brokerage.policy.filters import FILTERS

from .facts import INSTALLED, PLATFORM, judge, make_choice, make_cloud, make_needs, make_offer

Facts = dict[str, Any]

# (rule, needs, offer, cloud, sentence): the plain job and site, changed by these facts, are refused
REFUSED: list[tuple[str, Facts, Facts, Facts, str]] = [
    ("cloud_status", {}, {}, {"status": "offline"}, "cloud US is offline"),
    ("cloud_status", {}, {"cloud": "XX"}, {}, "cloud XX is unknown"),
    (
        "cloud_class",
        {"processing_type": "validation"},
        {},
        {},
        "validation goes to validation clouds only, and US is not one",
    ),
    (
        "cloud_class",
        {"processing_type": "evgen", "priority": 701},
        {},
        {},
        "evgen of priority 701, above 700, goes to fast-track clouds only, and US is not one",
    ),
    (
        "tier1",
        {"priority": 950},
        {},
        {},
        "production of priority 950, 950 or more, runs at the Tier-1 BNL_ATLAS_1",
    ),
    (
        "tier1",
        {"processing_type": "reprocessing"},
        {"validated_releases": INSTALLED},
        {},
        "reprocessing runs at the Tier-1 BNL_ATLAS_1",
    ),
    ("job_type", {}, {"type": "analysis"}, {}, "takes analysis jobs, label managed is production"),
    (
        "job_type",
        {"label": "ddm"},
        {"type": "analysis"},
        {},
        "takes analysis jobs, label ddm is production",
    ),
    (
        "job_type",
        {"label": "user"},
        {"type": "production"},
        {},
        "takes production jobs, label user is analysis",
    ),
    ("job_type", {}, {"type": "typo"}, {}, "takes typo jobs, label managed is production"),
    ("status", {}, {"status": "offline"}, {}, "status is offline"),
    (
        "status",
        {},
        {"status": "offline", "status_reason": "cooling failed"},
        {},
        "status is offline (cooling failed)",
    ),
    (
        "status",
        {"site": "AGLT2"},
        {"status": "offline", "status_reason": "cooling failed"},
        {},
        "status is offline (cooling failed)",
    ),
    (
        "status",
        {},
        {"status": "brokeroff"},
        {},
        "status is brokeroff, takes only jobs sent to it by name",
    ),
    (
        "status",
        {},
        {"status": "test"},
        {},
        "status is test, takes only test jobs, not label managed",
    ),
    ("status", {}, {"status": "typo"}, {}, "status is typo"),
    (
        "downtime",
        {"site": "AGLT2"},
        {"downtime": "until 2008-09-18 12:00 UTC: new cooling"},
        {},
        "is in downtime until 2008-09-18 12:00 UTC: new cooling",
    ),
    (
        "releases",
        {"release": "Atlas-15.0.0"},
        {},
        {},
        "release Atlas-15.0.0 for x86_64-linux-py3 is not installed",
    ),
    (
        "releases",
        {"cmt_config": "i686-slc5"},
        {},
        {},
        "release Atlas-14.5.0 for i686-slc5 is not installed",
    ),
    (
        "releases",
        {"release": "Atlas-15.0.0", "cmt_config": ""},
        {},
        {},
        "release Atlas-15.0.0 is not installed",
    ),
    (
        "releases",
        {"release": "Atlas-14.5.0\nAtlas-15.0.0\nAtlas-15.1.0"},
        {},
        {},
        "release Atlas-15.0.0, Atlas-15.1.0 for x86_64-linux-py3 is not installed",
    ),
    (
        "platform",
        {"release": "", "cmt_config": "i686-slc5"},
        {},
        {},
        "no release for i686-slc5 is installed",
    ),
    (
        "releases",
        {"processing_type": "reprocessing"},
        {},
        {"tier1": "AGLT2", "releases_checked": False},
        "release Atlas-14.5.0 for x86_64-linux-py3 is not validated",
    ),
    (
        "memory",
        {"memory_mb": 4000},
        {"memory_mb": 2000},
        {},
        "needs 4000 MB per slot, site offers 2000 MB",
    ),
    (
        "memory",
        {"memory_mb": 16001, "core_count": 8},
        {"memory_mb": 2000},
        {},
        "needs 2001 MB per slot, site offers 2000 MB",
    ),
    (
        "disk",
        {"disk_mb": 20001},
        {"scratch_mb": 20000},
        {},
        "needs 20001 MB of scratch disk, site offers 20000 MB",
    ),
    (
        "cpu_speed",
        {"cpu_speed_mhz": 3000},
        {"cpu_speed_mhz": 2400},
        {},
        "needs a CPU of 3000 MHz, site offers 2400 MHz",
    ),
    ("cores", {"core_count": 8}, {"max_core_count": 4}, {}, "needs 8 cores, site offers 4"),
    ("cores", {"core_count": 8}, {"slots": 6}, {}, "needs 8 cores, site offers 6"),
    (
        "wall_time",
        {"wall_seconds": 172801},
        {"wall_seconds": 172800},
        {},
        "needs 172801 s of wall time, site offers 172800 s",
    ),
    (
        "vo",
        {"vo": "charmm"},
        {"vos": frozenset({"osg", "atlas"})},
        {},
        "serves VO atlas, osg, not charmm",
    ),
    ("vo", {"vo": ""}, {"vos": frozenset({"atlas"})}, {}, "serves VO atlas, not jobs without a VO"),
    ("storage", {}, {"has_storage": False}, {}, "has no storage element for inputs and outputs"),
    ("pilots", {}, {"pilots_recent": 0}, {}, "no pilot was seen in the last 3 h"),
    (
        "space",
        {},
        {
            "free_gb": 500.0,
            "space_threshold_gb": 200,
            "assigned": 100,
            "activated": 200,
            "running": 901,
        },
        {},
        (
            "500 GB free less 0.25 GB for each of 1201 jobs is 199.8 GB, "
            "the Tier-2 threshold is 200 GB"
        ),
    ),
    (
        "space",
        {},
        {"tier": 1, "free_gb": 1000.0, "space_threshold_gb": 1024},
        {"tier1": "AGLT2"},
        "1000 GB free less 0.25 GB for each of 0 jobs is 1000 GB, the Tier-1 threshold is 1024 GB",
    ),
]

# (why, needs, offer, cloud): these are taken
TAKEN: list[tuple[str, Facts, Facts, Facts]] = [
    ("the plain job at the plain site", {}, {}, {}),
    ("analysis does not look at the cloud", {"label": "user"}, {}, {"status": "offline"}),
    ("a fixed site is kept in an offline cloud", {"site": "AGLT2"}, {}, {"status": "offline"}),
    ("validation cloud", {"processing_type": "validation"}, {}, {"validation": True}),
    ("task gave the cloud", {"processing_type": "validation", "cloud": "US"}, {}, {}),
    ("evgen of 700 is not urgent", {"processing_type": "evgen", "priority": 700}, {}, {}),
    ("fast track", {"processing_type": "evgen", "priority": 800}, {}, {"fasttrack": True}),
    ("949 is not high", {"priority": 949}, {}, {}),
    ("the Tier-1 takes high priority", {"priority": 2000}, {}, {"tier1": "AGLT2"}),
    ("a cloud without Tier-1 forces nothing", {"priority": 2000}, {}, {"tier1": None}),
    ("users' priorities are another scale", {"label": "user", "priority": 1000}, {}, {}),
    ("movers' priorities are another scale", {"label": "ddm", "priority": 200000}, {}, {}),
    ("a fixed site is kept at high priority", {"priority": 2000, "site": "AGLT2"}, {}, {}),
    (
        "reprocessing outside the Tier-1 where the cloud allows it",
        {"processing_type": "reprocessing"},
        {"validated_releases": INSTALLED},
        {"reprocessing_at_tier1": False},
    ),
    ("both takes analysis", {"label": "panda"}, {"type": "both"}, {}),
    ("production site", {"label": "install"}, {"type": "production"}, {}),
    ("brokeroff, sent by name", {"site": "AGLT2"}, {"status": "brokeroff"}, {}),
    ("test site, test label", {"label": "test"}, {"status": "test"}, {}),
    ("test site, prod_test label", {"label": "prod_test"}, {"status": "test"}, {}),
    ("test site, prod_test type", {"processing_type": "prod_test"}, {"status": "test"}, {}),
    ("no release needed", {"release": " \n"}, {}, {}),
    ("any platform", {"cmt_config": ""}, {}, {}),
    ("a platform that some release is for", {"release": ""}, {}, {}),
    (
        "an install job of any platform",
        {"label": "install", "release": "", "cmt_config": "x"},
        {},
        {},
    ),
    ("site declares no release", {"release": "Atlas-15.0.0"}, {"releases": frozenset()}, {}),
    ("cloud does not check", {"release": "Atlas-15.0.0"}, {}, {"releases_checked": False}),
    ("an install job brings it", {"label": "install", "release": "Atlas-15.0.0"}, {}, {}),
    ("as much memory", {"memory_mb": 2000}, {"memory_mb": 2000}, {}),
    ("memory of all slots", {"memory_mb": 16000, "core_count": 8}, {"memory_mb": 2000}, {}),
    ("memory not limited", {"memory_mb": 64000}, {"memory_mb": 0}, {}),
    ("as much scratch", {"disk_mb": 20000}, {"scratch_mb": 20000}, {}),
    ("as fast", {"cpu_speed_mhz": 2400}, {"cpu_speed_mhz": 2400}, {}),
    ("as many cores", {"core_count": 8}, {"max_core_count": 8, "slots": 4}, {}),
    ("as long", {"wall_seconds": 172800}, {"wall_seconds": 172800}, {}),
    (
        "a fixed site is kept for urgent evgen",
        {"site": "AGLT2", "processing_type": "evgen", "priority": 800},
        {},
        {},
    ),
    ("scratch not limited", {"disk_mb": 10**6}, {"scratch_mb": 0}, {}),
    ("CPU speed not known", {"cpu_speed_mhz": 9000}, {"cpu_speed_mhz": 0}, {}),
    ("cores not limited", {"core_count": 64}, {"max_core_count": 0, "slots": 0}, {}),
    ("core count left out", {"core_count": 0}, {"max_core_count": 1}, {}),
    ("wall time not limited", {"wall_seconds": 10**7}, {"wall_seconds": 0}, {}),
    ("VO served", {"vo": "atlas"}, {"vos": frozenset({"atlas", "charmm"})}, {}),
    ("a fixed site is kept without pilots", {"site": "AGLT2"}, {"pilots_recent": 0}, {}),
    ("space never measured", {}, {"free_gb": None, "space_threshold_gb": 200}, {}),
    ("just space", {}, {"free_gb": 225.0, "running": 100, "space_threshold_gb": 200}, {}),
]


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
