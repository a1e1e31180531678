"""Which data management system has the data of which VO: the setting PANDASITE_DDM.

`PANDASITE_DDM=atlas=rucio,cms=other.module.Class`: a name of KNOWN, or the path of a class that
keeps contract.DataManagement. A VO that is not named has the built-in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from datasets.ddm.contract import DataManagement

BUILT_IN = ""
KNOWN = {
    "builtin": BUILT_IN,
    "rucio": "datasets.ddm.rucio.Rucio",
}  # short names of classes, by their path


@dataclass(frozen=True, kw_only=True)
class RucioServer:
    """Where a Rucio is, and who we are there; `secret` is the name of our credentials."""

    url: str = ""
    auth_url: str = ""
    account: str = ""
    secret: str = "rucio"
    ca: str = ""  # certificates; empty: those of the system
    activities: Mapping[str, str] | None = None  # ours -> Rucio's


def parse(words: Iterable[str]) -> dict[str, str]:
    """VO -> path of the class ('' = built in), of the setting's words; ImproperlyConfigured."""
    chosen = {}
    for word in words:
        vo, equals, name = (part.strip() for part in word.partition("="))
        path = KNOWN.get(name, name)
        if not (vo and equals and name) or (path and "." not in path):
            known = ", ".join(KNOWN)
            raise ImproperlyConfigured(
                f"PANDASITE_DDM must be VO=NAME,... with a NAME of {known} or the path of a class, "
                f"not {word!r}."
            )
        if len(name) > 32:
            raise ImproperlyConfigured(f"PANDASITE_DDM: {name!r} has more than 32 characters.")
        chosen[vo] = path
    return chosen


def of_vo(vo: str) -> str:
    """What a subscription of this VO has in its column `ddm`; '' is the built-in one."""
    return settings.PANDASITE_DDM.get(vo, BUILT_IN)


def elsewhere() -> list[str]:
    """The systems that are not built in."""
    return sorted({path for path in settings.PANDASITE_DDM.values() if path})


@cache
def system(path: str) -> DataManagement:
    """The system of a subscription's column `ddm`; ImproperlyConfigured when it cannot be had."""
    try:
        return cast("DataManagement", import_string(path or "datasets.ddm.builtin.BuiltIn")())
    except ImportError as error:
        raise ImproperlyConfigured(f"PANDASITE_DDM names {path}: {error}") from None
