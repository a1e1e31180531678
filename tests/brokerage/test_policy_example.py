"""One whole round as of 2009: a cloud of twelve sites, three kinds of bunches, every verdict."""

from dataclasses import replace

from brokerage.policy import Choice, Offer

from .facts import INSTALLED, make_choice, make_cloud, make_needs, make_offer

US = make_cloud("US", tier1="BNL_ATLAS_1", weight=2.0)


def us_site(name: str, **facts: object) -> Offer:
    plain = {"type": "production", "memory_mb": 2000, "free_gb": 41000.0, "space_threshold_gb": 200}
    return make_offer(name, **{**plain, "vos": frozenset({"atlas"}), **facts})


GRID = (
    us_site(
        "BNL_ATLAS_1",
        tier=1,
        memory_mb=3000,
        validated_releases=INSTALLED,
        space_threshold_gb=1024,
        pilots_recent=180,
        activated=360,
        running=900,
        updating_nodes=300,
    ),
    us_site("AGLT2", pilots_recent=200, activated=400, running=500, updating_nodes=100),
    us_site("ANALY_AGLT2", type="analysis", pilots_recent=50),
    us_site("BU_ATLAS_Tier2", pilots_recent=0, activated=13, running=22),
    us_site("GLOW-ATLAS", status="brokeroff", pilots_recent=9, activated=73, running=1),
    us_site("HU_ATLAS_Tier2", pilots_recent=80, activated=5, releases=frozenset({("x", "y")})),
    us_site("IU_OSG", pilots_recent=20, activated=6, free_gb=230.0, running=124),
    us_site("LTU_CCT", status="offline", status_reason="power cut"),
    us_site("MWT2_IU", pilots_recent=280, activated=560, running=600, updating_nodes=120),
    us_site("MWT2_UC", pilots_recent=14, activated=210, running=760, updating_nodes=184),
    us_site("OSG_CHEM", type="both", vos=frozenset({"charmm"}), pilots_recent=5),
    us_site("UTA_SWT2", status="test", pilots_recent=3),
)

SIMULATION = make_needs(
    cloud="US",
    n_jobs=20,
    memory_mb=1500,
    disk_mb=8000,
    wall_seconds=86400,
    input_files=1,
    total_input_files=20,
)

REFUSED = {
    "ANALY_AGLT2": "takes analysis jobs, label managed is production",
    "BU_ATLAS_Tier2": "no pilot was seen in the last 3 h",
    "GLOW-ATLAS": "status is brokeroff, takes only jobs sent to it by name",
    "HU_ATLAS_Tier2": "release Atlas-14.5.0 for x86_64-linux-py3 is not installed",
    "IU_OSG": (
        "230 GB free less 0.25 GB for each of 130 jobs is 197.5 GB, the Tier-2 threshold is 200 GB"
    ),
    "LTU_CCT": "status is offline (power cut)",
    "OSG_CHEM": "serves VO charmm, not atlas",
    "UTA_SWT2": "status is test, takes only test jobs, not label managed",
}


def accepted(choice: Choice) -> dict[str, str]:
    return {verdict.site: verdict.reason for verdict in choice.verdicts if verdict.accepted}


def refused(choice: Choice) -> dict[str, str]:
    return {verdict.site: verdict.reason for verdict in choice.verdicts if not verdict.accepted}


def test_simulation_goes_to_the_emptier_of_the_best_two() -> None:
    choice = make_choice(SIMULATION, *GRID, clouds=(US,))

    assert accepted(choice) == {
        "AGLT2": "smallest weight, 0.4, of 4 sites that can take it",
        "MWT2_IU": "equal to AGLT2, whose name comes first",
        "BNL_ATLAS_1": "weight 0.6667 is not among the best 2",
        "MWT2_UC": "weight 3.632 is over 2 times the 0.4 of AGLT2",
    }
    assert refused(choice) == REFUSED
    assert list(refused(choice)) == sorted(REFUSED)


def test_simulation_follows_its_files_among_the_best_two() -> None:
    holding = {"MWT2_IU": 12, "AGLT2": 4, "MWT2_UC": 20}
    grid = [replace(offer, held_files=holding.get(offer.name, 0)) for offer in GRID]

    choice = make_choice(SIMULATION, *grid, clouds=(US,))

    assert choice.site == "MWT2_IU"
    assert choice.reason == "holds 12 of 20 input files, the most of the best 2 sites"


def test_a_merge_with_many_files_goes_to_the_tier1_that_holds_them() -> None:
    merge = replace(SIMULATION, input_files=10, total_input_files=200)
    grid = [replace(o, held_files=200 if o.name == "BNL_ATLAS_1" else 0) for o in GRID]

    choice = make_choice(merge, *grid, clouds=(US,))

    assert choice.site == "BNL_ATLAS_1"
    assert choice.verdicts[0].weight == 360 / 180 / 3 / 2
    assert choice.reason == "holds 200 of 200 input files, the most of the best 2 sites"


def test_reprocessing_goes_to_the_tier1_with_the_validated_release() -> None:
    reprocessing = replace(SIMULATION, processing_type="reprocessing")

    choice = make_choice(reprocessing, *GRID, clouds=(US,))

    assert accepted(choice) == {"BNL_ATLAS_1": "the only site that can take it"}
    assert set(refused(choice).values()) == {"reprocessing runs at the Tier-1 BNL_ATLAS_1"}


def test_a_user_job_goes_to_an_analysis_site() -> None:
    analysis = replace(SIMULATION, label="user", cloud=None, priority=1000)

    choice = make_choice(analysis, *GRID, clouds=(US,))

    assert list(accepted(choice)) == ["ANALY_AGLT2"]


def test_a_job_too_large_for_every_site_stays_where_it_is_with_the_reasons() -> None:
    choice = make_choice(replace(SIMULATION, memory_mb=4000), *GRID, clouds=(US,))

    assert choice.site is None
    assert not choice.release_nowhere
    assert choice.reason == (
        "none of 12 sites in cloud US can take it "
        "(refused by memory 7, status 3, job_type 1, releases 1)"
    )


def test_a_thousand_jobs_spread_over_the_sites_that_can_take_them() -> None:
    grid = {offer.name: offer for offer in GRID}
    went: dict[str, int] = {}

    for _ in range(50):
        site = make_choice(SIMULATION, *grid.values(), clouds=(US,)).site
        assert site is not None
        grid[site] = grid[site].taking(SIMULATION.n_jobs)
        went[site] = went.get(site, 0) + SIMULATION.n_jobs

    # Each got its share of the pilots and of what its nodes run at a time.
    assert set(went) == {"AGLT2", "BNL_ATLAS_1", "MWT2_IU"}
    assert sum(went.values()) == 1000
    assert max(went.values()) < 700
