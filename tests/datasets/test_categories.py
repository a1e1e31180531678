"""Categories, as the table of 2009 has them, by the names of datasets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets.categories import Categories, scope_of
from datasets.models import DatasetCategory

SEED = Path(__file__).parents[1] / "data" / "seed_screens.json"


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("ddo.000001.Atlas.Ideal.DBRelease.v050601", "DBrelease"),
        ("M3.0012345.RAW", "M3"),
        ("M4.0020720.Default.L1TT-b00000011.RAW", "M4"),
        ("cond08.000004.gen.COND", "conditions"),
        ("csc11.005200.T1_McAtNlo_Jimmy.digit.RDO.v11000401", "csc"),
        ("ctb.002102.pions", "ctb"),
        ("dc2.003002.evgen", "dc2"),
        ("larg.0009.calib", "larg"),
        ("mc08.105001.pythia_minbias.evgen.EVNT.e306", "mc"),
        ("rome.004201.recov10.ZeeJimmy", "rome"),
        ("testpanda.destDB.7c1f2a60", "testpanda"),
        ("tile.0034", "tile"),
        ("user.alice.ganga.1", "user"),
        ("user09.BobSmith.ganga.datafiles", "user"),
        ("testIdeal_07.005200.T1.merge.AOD", "validation"),
        ("valid1.005200.T1.recon.AOD", "validation"),
        ("", "other"),
        ("data08_cos.00090272.physics.merge.AOD", "other"),
    ],
)
@pytest.mark.django_db
def test_a_name_belongs_to_the_category_of_2009(name: str, category: str) -> None:
    rules = Categories(DatasetCategory.objects.values_list("name", "patterns"))

    assert rules.of(name) == category


@pytest.mark.django_db
def test_the_table_of_categories_is_that_of_the_seed() -> None:
    seed = json.loads(SEED.read_text())["dataset_browser"]["categories"]

    lines = {row["category"]: row["description"] for row in seed if row["category"] != "All"}

    assert dict(DatasetCategory.objects.values_list("name", "description")) == lines


def test_the_first_category_that_fits_has_it_and_one_without_patterns_the_rest() -> None:
    rules = Categories([("a", "x*\n\n y? "), ("b", "x1"), ("rest", "")])

    assert [rules.of(name) for name in ("x1", "y2", "y22", "x\n")] == ["a", "a", "rest", "a"]
    assert Categories([("a", "x")]).of("z") == "other"


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("mc09.105001.evgen", "mc09"),
        ("user.alice.test.1", "user.alice"),
        ("Group.phys-top.x", "group.phys-top"),
        ("user", "user"),
        ("x" * 100, "x" * 64),
    ],
)
def test_a_scope_is_the_project_or_whose_it_is(name: str, scope: str) -> None:
    assert scope_of(name) == scope
