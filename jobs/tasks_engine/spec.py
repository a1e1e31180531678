"""A task as it was asked for and checked: `TaskSpec`, with its form in the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jobs.labels import is_analysis
from jobs.tasks_engine import checks
from pandasite.base.errors import BadInput

LATER = ("select", "events_per_file", "build")


@dataclass(frozen=True, kw_only=True)
class OutputSpec:
    """An output of each job: `lfn` has placeholders."""

    dataset: str
    scope: str
    lfn: str


@dataclass(frozen=True, kw_only=True)
class SelectSpec:
    """Which files of a dataset are read: by name, without the first ones, at most so many.

    `include` and `exclude` are regular expressions that are looked for in the LFN; empty and 0 are
    no limit.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    lfns: tuple[str, ...] = ()
    skip: int = 0
    files: int = 0

    @classmethod
    def of(cls, said: Mapping[str, Any] | None) -> SelectSpec | None:
        """From what was said; None for nothing."""
        if not said:
            return None
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
        return cls(**made)


@dataclass(frozen=True, kw_only=True)
class SecondarySpec:
    """Files that each job reads besides, taken in turn."""

    dataset: str
    files_per_job: int = 1
    select: SelectSpec | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SecondarySpec:
        """From what was said."""
        return cls(**{**said, "select": SelectSpec.of(said.get("select"))})


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """One job before all others: it makes the file that they read besides, `${LIB}`."""

    transformation: str
    dataset: str
    scope: str
    lfn: str
    job_parameters: str = ""


@dataclass(frozen=True, kw_only=True)
class MergeSpec:
    """How files of the first output are merged; 0 is no limit, both 0 is 10 files."""

    transformation: str
    dataset: str
    scope: str
    lfn: str
    job_parameters: str = ""
    files_per_job: int = 0
    gb_per_job: float = 0


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """A checked task request. Names, not rows: it is kept as JSON. '' and 0: not said.

    Memory and disk in MB, times in s, sizes in GB of 10^9 bytes. `parent` is a name of the same
    owner's, or a number.
    """

    owner: str
    name: str
    vo: str
    transformation: str
    working_group: str = ""
    processing_type: str = ""
    prod_source_label: str = "user"
    priority: int = 100
    campaign: str = ""
    request_id: int | None = None
    parent: str = ""
    tag: str = ""
    atlas_release: str = ""
    cmt_config: str = ""
    homepackage: str = ""
    job_parameters: str = ""
    inputs: tuple[str, ...] = ()
    secondary: tuple[SecondarySpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    events: int = 0
    events_per_job: int = 0
    files_per_job: int = 0
    gb_per_job: float = 0
    merge: MergeSpec | None = None
    memory_mb: int = 0
    cpu_s_per_event: float = 0
    wall_s: int = 0
    disk_mb: int = 0
    core_count: int = 1
    max_attempts: int = 3
    cloud: str = ""
    site: str = ""
    destination_se: str = ""
    scouts: bool = True
    n_scouts: int = 5
    select: SelectSpec | None = None
    events_per_file: int = 0
    build: BuildSpec | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any], *, owner: str) -> TaskSpec:
        """From what was said, checked before, or from its form in the database."""
        merge, build = said.get("merge"), said.get("build")
        made = {
            "inputs": tuple(said.get("inputs", ())),
            "secondary": tuple(SecondarySpec.of(one) for one in said.get("secondary", ())),
            "outputs": tuple(OutputSpec(**one) for one in said.get("outputs", ())),
            "merge": MergeSpec(**merge) if merge else None,
            "build": BuildSpec(**build) if build else None,
            "select": SelectSpec.of(said.get("select")),
            "owner": owner,
        }
        return cls(**{**said, **made})

    def as_json(self) -> dict[str, Any]:
        """Its form in the database. What came later and is not said is left out: so the same
        request has the same sum as ever."""
        said = dict(json.loads(json.dumps(asdict(self))))
        for one in (said, *said["secondary"]):
            for name in LATER:
                if name in one and not one[name]:
                    del one[name]
        return said

    @property
    def sha256(self) -> str:
        """The same for the same request."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def wants_cloud(self) -> bool:
        """Whether it waits until somebody gives it a cloud: production that names none."""
        return not (self.cloud or self.site or is_analysis(self.prod_source_label))


def spec_from(mapping: Mapping[str, Any], *, owner: str) -> TaskSpec:
    """The checked spec of one request; BadInput names every wrong field with its limit."""
    (found,) = specs_from([(mapping, owner)])
    if isinstance(found, BadInput):
        raise found
    return found


def specs_from(requests: list[tuple[Mapping[str, Any], str]]) -> list[TaskSpec | BadInput]:
    """The same for many, each with its owner's name, by a few queries in all.

    They know of each other: one may read what another one makes, or have it for a parent. A wrong
    one stops no other, unless that depends on it.
    """
    return [
        found if isinstance(found, BadInput) else TaskSpec.of(found, owner=owner)
        for found, (_, owner) in zip(checks.check(requests), requests, strict=True)
    ]
