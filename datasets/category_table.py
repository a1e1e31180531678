"""The categories of 2009, with which the table begins; from then on it is the administrator's."""

from __future__ import annotations

from typing import Any

from datasets.models import DatasetCategory

# Name, description, patterns, in the order of the browser's table; M4's words are those of 2009.
CATEGORIES = (
    ("DBrelease", "DB release datasets", "ddo.*DBRelease*\n*.DBRelease.*\nDBRelease*"),
    ("M3", "M3 cosmics run", "M3.*"),
    ("M4", "M3 cosmics run", "M4.*"),
    ("conditions", "Datasets for conditions data files", "cond[0-9]*\nconditions*\n*.conditions.*"),
    ("csc", "Computing system commissioning production", "csc[0-9]*"),
    ("ctb", "Combined testbeam production", "ctb*"),
    ("dc2", "Data Challenge 2 production", "dc2.*"),
    ("larg", "LAr commissioning", "[Ll][Aa]rg*\nLAr*"),
    ("mc", "MC validation production", "mc[0-9]*"),
    ("rome", "Rome physics workshop production", "rome.*"),
    ("testpanda", "Panda test datasets", "testpanda*"),
    ("tile", "Tilecal commissioning", "[Tt]ile*"),
    ("user", "User datasets", "user[0-9]*\nuser.*\ngroup.*"),
    ("validation", "Validation samples (testIdeal* etc)", "testIdeal*\nvalid*"),
    ("other", "Everything else", ""),
)


def fill() -> None:
    """Write the rows, into an empty table only: what was taken away stays away."""
    if DatasetCategory.objects.exists():
        return
    DatasetCategory.objects.bulk_create(
        [
            DatasetCategory(name=name, description=description, patterns=patterns, position=10 * nr)
            for nr, (name, description, patterns) in enumerate(CATEGORIES, 1)
        ],
        ignore_conflicts=True,
    )


def fill_after_migrate(**_: Any) -> None:
    """Signal handler: the table exists now."""
    fill()
