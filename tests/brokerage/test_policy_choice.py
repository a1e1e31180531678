"""The choice among the sites that may take a bunch: candidates, weight, best two, files, ties."""

from typing import Any

import pytest

from brokerage.policy import Choice, Offer, explain_lines

from .facts import make_choice, make_cloud, make_needs, make_offer

TIER1 = "BNL_ATLAS_1"


def places(choice: Choice) -> list[tuple[str, str]]:
    return [(verdict.site, verdict.reason) for verdict in choice.verdicts]


class TestCandidates:
    def test_a_cloud_given_by_the_task_bounds_the_candidates(self) -> None:
        offers = [make_offer("AGLT2"), make_offer("LYON", cloud="FR")]

        choice = make_choice(make_needs(cloud="FR"), *offers, clouds=(make_cloud("FR"),))

        assert places(choice) == [("LYON", "the only site that can take it")]

    def test_production_without_a_cloud_may_go_to_every_online_cloud(self) -> None:
        clouds = (make_cloud("US"), make_cloud("FR"), make_cloud("CA", status="offline"))
        offers = [
            make_offer("AGLT2", activated=5),
            make_offer("LYON", cloud="FR"),
            make_offer("TRIUMF", cloud="CA"),
        ]

        choice = make_choice(make_needs(), *offers, clouds=clouds)

        assert choice.site == "LYON"
        assert places(choice)[-1] == ("TRIUMF", "cloud CA is offline")

    def test_a_site_fixed_by_the_submitter_is_the_only_candidate(self) -> None:
        offers = [make_offer("AGLT2"), make_offer("SWT2", activated=900, pilots_recent=0)]

        choice = make_choice(make_needs(site="SWT2", priority=2000), *offers)

        assert places(choice) == [("SWT2", "fixed by the submitter")]
        assert choice.verdicts[0].weight == 900

    def test_a_fixed_site_that_is_offline_leaves_the_job_without_a_site(self) -> None:
        offers = [make_offer("AGLT2"), make_offer("SWT2", status="offline", status_reason="flood")]

        choice = make_choice(make_needs(site="SWT2"), *offers)

        assert choice.site is None
        assert choice.reason == "site SWT2, fixed by the submitter: status is offline (flood)"

    @pytest.mark.parametrize(
        ("cloud", "reason"),
        [
            (None, "site NOWHERE, fixed by the submitter: there is no such site"),
            ("US", "site NOWHERE, fixed by the submitter: there is no such site in cloud US"),
        ],
    )
    def test_a_fixed_site_that_does_not_exist_is_named(
        self, cloud: str | None, reason: str
    ) -> None:
        choice = make_choice(make_needs(site="NOWHERE", cloud=cloud), make_offer())

        assert (choice.site, choice.reason, choice.verdicts) == (None, reason, ())

    def test_an_empty_grid_gives_no_site_and_fails_nothing(self) -> None:
        choice = make_choice(make_needs(cloud="US"))

        assert (choice.site, choice.reason) == (None, "there is no site in cloud US")
        assert not choice.release_nowhere

    def test_urgent_production_waits_for_its_tier1_with_the_reasons(self) -> None:
        offers = [make_offer("AGLT2"), make_offer(TIER1, tier=1, memory_mb=1000)]

        choice = make_choice(make_needs(priority=960, memory_mb=2000, cloud="US"), *offers)

        assert choice.site is None
        assert choice.reason == (
            "none of 2 sites in cloud US can take it (refused by memory 1, tier1 1)"
        )
        assert places(choice) == [
            ("AGLT2", "production of priority 960, 950 or more, runs at the Tier-1 BNL_ATLAS_1"),
            (TIER1, "needs 2000 MB per slot, site offers 1000 MB"),
        ]


class TestReleaseNowhere:
    def test_no_site_of_any_cloud_has_the_release(self) -> None:
        offers = [make_offer("AGLT2"), make_offer("LYON", cloud="FR")]

        choice = make_choice(make_needs(release="Atlas-15.0.0"), *offers)

        assert choice.site is None
        assert choice.release_nowhere

    @pytest.mark.parametrize(
        "place",
        [
            make_offer("LYON", cloud="FR"),
            make_offer("SWT2", status="offline"),
            make_offer("MWT2_UC", pilots_recent=0),
        ],
        ids=["in another cloud", "at a site that is off", "at a site without pilots"],
    )
    def test_a_release_that_is_anywhere_is_waited_for(self, place: Offer) -> None:
        lacking = make_offer("AGLT2", releases=frozenset({("Atlas-13.0.0", "x")}))

        choice = make_choice(make_needs(cloud="US"), lacking, place)

        assert choice.site is None
        assert not choice.release_nowhere

    def test_reprocessing_waits_for_a_release_that_is_installed_and_not_validated_yet(self) -> None:
        needs = make_needs(processing_type="reprocessing")
        offers = [make_offer(TIER1, tier=1), make_offer("AGLT2", releases=frozenset())]

        choice = make_choice(needs, *offers)

        assert choice.site is None
        assert places(choice)[-1][1].endswith("is not validated")
        assert not choice.release_nowhere

    def test_reprocessing_fails_when_its_release_is_installed_nowhere(self) -> None:
        needs = make_needs(processing_type="reprocessing", release="Atlas-15.0.0")
        offers = [make_offer(TIER1, tier=1), make_offer("AGLT2", releases=frozenset())]

        choice = make_choice(needs, *offers, clouds=(make_cloud(releases_checked=False),))

        assert choice.release_nowhere

    @pytest.mark.parametrize(
        "place",
        [
            make_offer("ANALY_AGLT2", type="analysis"),
            make_offer("OSG_CHEM", vos=frozenset({"charmm"}), releases=frozenset()),
        ],
        ids=["analysis site", "site of another VO"],
    )
    def test_a_site_that_never_serves_such_jobs_does_not_count(self, place: Offer) -> None:
        lacking = make_offer("AGLT2", releases=frozenset({("Atlas-13.0.0", "x")}))

        assert make_choice(make_needs(), lacking, place).release_nowhere

    def test_a_grid_without_a_site_for_such_jobs_is_no_proof(self) -> None:
        choice = make_choice(make_needs(), make_offer(type="analysis", releases=frozenset()))

        assert not choice.release_nowhere


class TestWeight:
    @pytest.mark.parametrize(
        ("facts", "weight", "words"),
        [
            (
                {"assigned": 3, "activated": 5, "running": 40, "updating_nodes": 20},
                0.4,
                "(3 assigned + 5 activated) / 10 pilots / 2 running per node = 0.4",
            ),
            (
                {"activated": 5, "running": 10, "updating_nodes": 20},
                1.0,
                "(0 assigned + 5 activated) / 10 pilots / 0.5 running per node = 1",
            ),
            (
                {"activated": 5, "running": 0, "updating_nodes": 20},
                0.5,
                "(0 assigned + 5 activated) / 10 pilots / 1 running per node = 0.5",
            ),
            (
                {"activated": 5, "running": 40, "updating_nodes": 0},
                0.5,
                "(0 assigned + 5 activated) / 10 pilots / 1 running per node = 0.5",
            ),
            ({}, 0.0, "(0 assigned + 0 activated) / 10 pilots / 1 running per node = 0"),
        ],
        ids=["plain", "few running", "none running", "no node reports", "idle"],
    )
    def test_the_weight_is_the_queue_before_the_pilots(
        self, facts: dict[str, Any], weight: float, words: str
    ) -> None:
        (verdict,) = make_choice(make_needs(), make_offer(**facts)).verdicts

        assert verdict.weight == pytest.approx(weight)
        assert verdict.details == (words,)

    @pytest.mark.parametrize(
        ("input_files", "factor", "weight"),
        [(4, 4.0, 1.0), (5, 4.0, 0.25), (5, 0.0, 0.5), (5, 5e-324, 0.5)],
    )
    def test_many_input_files_favour_the_tier1_by_the_clouds_factor(
        self, input_files: int, factor: float, weight: float
    ) -> None:
        clouds = (make_cloud(weight=factor),)
        offers = [make_offer(TIER1, activated=10), make_offer("AGLT2", activated=10)]

        choice = make_choice(make_needs(input_files=input_files), *offers, clouds=clouds)

        weights = {verdict.site: verdict.weight for verdict in choice.verdicts}
        assert weights == {TIER1: weight, "AGLT2": 1.0}

    def test_the_tier1_factor_is_named_in_the_sum(self) -> None:
        choice = make_choice(make_needs(input_files=5), make_offer(TIER1, activated=10))

        assert choice.verdicts[0].details == (
            (
                "(0 assigned + 10 activated) / 10 pilots / 1 running per node"
                " / 2 (Tier-1, 5 input files a job) = 0.5"
            ),
        )

    def test_a_bunch_given_to_a_site_counts_at_once_for_the_next_bunch(self) -> None:
        offers = [make_offer("AGLT2"), make_offer("SWT2")]
        first = make_choice(make_needs(), *offers)

        second = make_choice(make_needs(), offers[0].taking(20), offers[1])

        assert (first.site, second.site) == ("AGLT2", "SWT2")


class TestBestTwo:
    def test_the_smaller_weight_wins_without_inputs(self) -> None:
        offers = [make_offer("AGLT2", activated=15, held_files=9), make_offer("SWT2", activated=10)]

        choice = make_choice(make_needs(), *offers)

        assert places(choice) == [
            ("SWT2", "smallest weight, 1, of 2 sites that can take it"),
            ("AGLT2", "weight 1.5 is larger than the 1 of SWT2"),
        ]

    def test_the_site_that_holds_most_files_wins_among_the_best_two(self) -> None:
        offers = [
            make_offer("AGLT2", activated=10, held_files=3),
            make_offer("MWT2_UC", activated=20, held_files=18),
            make_offer("SWT2", activated=20, held_files=17),
            make_offer("BU", activated=21, held_files=20),
        ]

        choice = make_choice(make_needs(total_input_files=20), *offers)

        assert places(choice) == [
            ("MWT2_UC", "holds 18 of 20 input files, the most of the best 2 sites"),
            ("AGLT2", "holds 3 of 20 input files, MWT2_UC holds 18"),
            ("SWT2", "weight 2 is not among the best 2"),
            ("BU", "weight 2.1 is over 2 times the 1 of AGLT2"),
        ]

    def test_a_second_site_over_twice_the_weight_is_dropped_whatever_it_holds(self) -> None:
        offers = [make_offer("AGLT2", activated=10), make_offer("SWT2", activated=21, held_files=9)]

        choice = make_choice(make_needs(total_input_files=9), *offers)

        assert places(choice) == [
            ("AGLT2", "smallest weight, 1, of 2 sites that can take it"),
            ("SWT2", "weight 2.1 is over 2 times the 1 of AGLT2"),
        ]

    def test_on_an_idle_grid_the_files_decide_not_the_alphabet(self) -> None:
        offers = [make_offer("A"), make_offer("B"), make_offer("Z", held_files=1)]

        choice = make_choice(make_needs(total_input_files=9), *offers)

        assert choice.site == "Z"

    def test_a_full_tie_goes_to_the_first_name(self) -> None:
        choice = make_choice(make_needs(), make_offer("B"), make_offer("A"))

        assert places(choice) == [
            ("A", "smallest weight, 0, of 2 sites that can take it"),
            ("B", "equal to A, whose name comes first"),
        ]


def test_the_explanation_names_every_site_with_its_weight_or_refusal() -> None:
    offers = [
        make_offer("AGLT2", activated=10),
        make_offer("MWT2_UC", activated=15),
        make_offer(TIER1, tier=1, status="offline", memory_mb=1000),
    ]

    choice = make_choice(make_needs(memory_mb=2000), *offers)

    assert explain_lines(choice) == [
        "goes to AGLT2: smallest weight, 1, of 2 sites that can take it",
        "  + AGLT2              1  smallest weight, 1, of 2 sites that can take it",
        (
            "                          (0 assigned + 10 activated) / 10 pilots"
            " / 1 running per node = 1"
        ),
        "  + MWT2_UC          1.5  weight 1.5 is larger than the 1 of AGLT2",
        (
            "                          (0 assigned + 15 activated) / 10 pilots"
            " / 1 running per node = 1.5"
        ),
        "  - BNL_ATLAS_1           status is offline",
        "                          needs 2000 MB per slot, site offers 1000 MB",
    ]
