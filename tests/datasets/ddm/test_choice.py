"""Which data management system a VO has."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from datasets.ddm import choice


@pytest.mark.parametrize("words", [["atlas"], ["atlas=nothing"], ["=builtin"]], ids=str)
def test_a_setting_that_names_nothing_is_refused(words):
    with pytest.raises(ImproperlyConfigured, match="PANDASITE_DDM"):
        choice.parse(words)


def test_the_setting_names_a_class_by_its_path_or_the_built_in_one():
    assert choice.parse(["atlas=a.b.C", "cms=builtin"]) == {"atlas": "a.b.C", "cms": ""}


def test_rucio_has_a_short_name():
    assert choice.parse(["atlas=rucio"]) == {"atlas": "datasets.ddm.rucio.Rucio"}
