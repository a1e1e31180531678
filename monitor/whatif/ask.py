"""A job that somebody thinks of, and what brokerage would say of it. Nothing is written."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model

from brokerage.models import VO, Cloud, Site
from brokerage.policy import Choice, Needs, Verdict
from brokerage.policy.filters import FILTERS
from datasets.models import DatasetFile
from jobs import assign
from jobs.api.bodies import INT32
from jobs.applicants import applicant
from jobs.labels import LABELS
from jobs.models import AnyJob
from jobs.priority import checked_priority
from monitor.params import Params
from pandasite.base.errors import NotThere
from pandasite.base.params import refuse

FILES_MOST = 5000  # of a dataset, whose places are looked up
JOBS_MOST = 1000
RULES = tuple(rule.__name__ for rule in FILTERS)
NAMED: dict[str, type[Model]] = {"cloud": Cloud, "site": Site, "vo": VO}


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the form: its name in the address, title, meaning and what it may say."""

    name: str
    title: str
    help: str
    high: int = 0  # 0: it is a text
    options: Sequence[str] = ()
    value: str = ""


FIELDS = (
    Field(name="label", title="Label", help="prodSourceLabel", options=LABELS),
    Field(name="processing_type", title="Processing type", help="such as evgen or reprocessing"),
    Field(name="priority", title="Priority", help="950 or more runs at the Tier-1"),
    Field(name="vo", title="VO", help="a site may serve some only"),
    Field(name="cloud", title="Cloud", help="empty: brokerage chooses"),
    Field(name="site", title="Site", help="empty: brokerage chooses"),
    Field(name="release", title="Release", help="such as Atlas-14.5.0"),
    Field(name="platform", title="Platform", help="cmtConfig; empty: any"),
    Field(name="memory", title="Memory (MB)", help="of the whole job, all its cores", high=INT32),
    Field(name="disk", title="Disk (MB)", help="scratch space", high=INT32),
    Field(name="cpu_speed", title="CPU speed (MHz)", help="at least", high=1_000_000),
    Field(name="cores", title="Cores", help="coreCount", high=100_000),
    Field(name="wall", title="Wall time (s)", help="the longest that it may run", high=INT32),
    Field(name="dataset", title="Input dataset", help="whose files it reads"),
    Field(name="files", title="Files a job", help="of the dataset; empty: all", high=FILES_MOST),
    Field(name="jobs", title="Jobs", help="how many like it", high=JOBS_MOST),
)
KNOWN = (*(field.name for field in FIELDS), "job", "format")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one rule says of one site: '' = it may take the job."""

    rule: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A site: its verdict, and a cell for each rule that refuses anywhere."""

    verdict: Verdict
    chosen: bool
    cells: Sequence[Cell]

    @property
    def sentences(self) -> list[str]:
        """Why it is refused; or its place among the others, and the arithmetic of its weight."""
        said = [cell.sentence for cell in self.cells if cell.sentence]
        return said or [self.verdict.reason, *self.verdict.details]

    def flat(self) -> dict[str, Any]:
        """One line of CSV."""
        verdict = self.verdict
        said = {cell.rule: cell.sentence for cell in self.cells}
        return {
            "site": verdict.site,
            "chosen": self.chosen,
            "accepted": verdict.accepted,
            "weight": verdict.weight,
            "held_files": verdict.held_files,
            "reason": verdict.reason,
            **{rule: said.get(rule, "") for rule in RULES},
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What brokerage would say now."""

    needs: Needs
    choice: Choice
    rows: Sequence[Row]
    rules: Sequence[str]  # that refuse some site, in their order
    passed: Sequence[str] = field(default_factory=tuple)  # that refuse none

    def as_json(self) -> dict[str, Any]:
        """The facts for programs."""
        return {
            "needs": vars_of(self.needs),
            "site": self.choice.site,
            "reason": self.choice.reason,
            "sites": [
                {
                    **row.verdict.as_json(),
                    "refusals": [vars(cell) for cell in row.cells if cell.sentence],
                }
                for row in self.rows
            ],
        }


def vars_of(needs: Needs) -> dict[str, Any]:
    """Its fields, without what it has worked out of them."""
    return {name: getattr(needs, name) for name in Needs.__dataclass_fields__}


def asked(params: Params) -> bool:
    """Whether a job is described at all."""
    return any(field.name in params.values for field in FIELDS)


def form(params: Params) -> list[dict[str, Any]]:
    """The fields with what was given."""
    return [{**vars(field), "value": params.values.get(field.name, "")} for field in FIELDS]


def answer(params: Params, *, now: dt.datetime) -> Answer:
    """What brokerage would say of the job that the address describes. Raises BadInput."""
    files = _files(params)
    needs = _needs(params, len(files))
    full = assign.explain_in_full(needs, files=files, now=now)
    saying = {rule for said in full.refusals.values() for rule, _ in said}
    rules = [rule for rule in RULES if rule in saying]
    made = [_row(v, full.choice, rules, full.refusals) for v in full.choice.verdicts]
    return Answer(
        needs=needs,
        choice=full.choice,
        rules=rules,
        passed=[rule for rule in RULES if rule not in saying],
        # those that may take it as brokerage ranks them, then those nearest to it
        rows=sorted(made, key=lambda row: 0 if row.verdict.accepted else len(row.sentences)),
    )


def _row(
    verdict: Verdict,
    choice: Choice,
    rules: Sequence[str],
    said: Mapping[str, Sequence[tuple[str, str]]],
) -> Row:
    sentences = dict(said.get(verdict.site, ()))
    return Row(
        verdict=verdict,
        chosen=verdict.site == choice.site,
        cells=[Cell(rule=rule, sentence=sentences.get(rule, "")) for rule in rules],
    )


def _needs(params: Params, n_files: int) -> Needs:
    numbers = {f.name: params.number(f.name, low=0, high=f.high) or 0 for f in FIELDS if f.high}
    named = {name: _known(params, name) for name in NAMED}
    return Needs(
        label=params.choice("label", LABELS, default="managed"),
        cloud=named["cloud"] or None,
        site=named["site"] or None,
        vo=named["vo"],
        processing_type=params.text("processing_type"),
        priority=checked_priority(params.text("priority") or "0"),
        release=params.text("release"),
        cmt_config=params.text("platform"),
        memory_mb=numbers["memory"],
        disk_mb=numbers["disk"],
        cpu_speed_mhz=numbers["cpu_speed"],
        core_count=numbers["cores"] or 1,
        wall_seconds=numbers["wall"],
        n_jobs=numbers["jobs"] or 1,
        input_files=min(numbers["files"] or n_files, n_files),
        total_input_files=n_files,
    )


def _known(params: Params, name: str) -> str:
    """A name that there is."""
    text = params.text(name)
    if not text:
        return ""
    names = [*NAMED[name]._default_manager.values_list("name", flat=True)]
    if text not in names:
        close = difflib.get_close_matches(text, names, n=3)
        hint = f" (nearest: {', '.join(close)})" if close else ""
        raise refuse(name, text, f"the name of a {name}{hint}", code="unknown_name", close=close)
    return text


def _files(params: Params) -> list[int]:
    """Keys of the files of the dataset that was named."""
    name = params.text("dataset")
    if not name:
        return []
    files = DatasetFile.objects.filter(dataset__name=name).values_list("file", flat=True)
    found = [*files[: FILES_MOST + 1]]
    if not found:
        raise refuse("dataset", name, "a dataset that has files", code="unknown_name")
    if len(found) > FILES_MOST:
        raise refuse("dataset", name, f"a dataset of at most {FILES_MOST:,} files")
    return found


def query_of(panda_id: int) -> str:
    """The query that describes a job that there is; NotThere when there is none."""
    job = AnyJob.objects.filter(pk=panda_id).first()
    if job is None:
        raise NotThere(f"there is no job {panda_id}")
    asking = applicant(job)
    said = {
        "label": asking.label,
        "processing_type": asking.processing_type,
        "priority": asking.priority,
        "vo": asking.vo,
        "cloud": asking.cloud if asking.cloud_fixed else "",
        "site": asking.site if asking.site_fixed else "",
        "release": asking.release,
        "platform": asking.cmt_config,
        "memory": asking.memory_mb,
        "disk": asking.disk_mb,
        "cpu_speed": asking.cpu_speed_mhz,
        "cores": asking.core_count,
        "wall": asking.wall_seconds,
    }
    return urlencode({name: value for name, value in said.items() if value})
