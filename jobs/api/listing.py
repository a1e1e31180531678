"""Jobs as JSON: one with all its facts, or a page of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

from brokerage.models import Cloud, Site
from jobs.labels import LABELS
from jobs.models import AnyJob, Task
from jobs.pulse import overlaid
from jobs.states import JobState
from pandasite.base.params import Params, refuse

LIMIT_MAX = 1000
TEXT_FILTERS = ("site", "cloud", "task", "label")
# `format` is read by the negotiation of the answer.
KNOWN = (*TEXT_FILTERS, "state", "before", "limit", "format")


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows; `before` is the PandaID that the page starts below."""

    state: str = ""
    texts: Mapping[str, str] | None = None
    before: int | None = None
    limit: int = 100

    def apply(self, jobs: QuerySet[AnyJob]) -> QuerySet[AnyJob]:
        """The jobs that pass."""
        if self.state:
            jobs = jobs.filter(state=self.state)
        for name, text in (self.texts or {}).items():
            jobs = jobs.filter(_WITH[name](text))
        return jobs.filter(pk__lt=self.before) if self.before is not None else jobs


def named(field: str, column: str, model: type[Model], name: str) -> Q:
    """Jobs with a row of that name in the column; BadInput when there is no such row.

    Looked up first: jobs of a site have an index. And a join with its name would leave the planner
    to guess, over all the weeks of the archive, that hardly any job passes: it would sort them all.
    """
    keys = _keys(model, Q(name=name))
    if not keys:
        raise refuse(field, name, f"a {field} that there is", code=f"unknown_{field}")
    return Q(**{f"{column}__in": keys})


def _keys(model: type[Model], wanted: Q) -> list[int]:
    return list(model._default_manager.filter(wanted).values_list("pk", flat=True))


def _of_task(text: str) -> Q:
    """Those of tasks of this name, or of this ID, as in a submission."""
    called = Q(name=text)
    if text.isascii() and text.isdecimal() and len(text) < 19:
        called |= Q(pk=int(text))
    return Q(task__in=_keys(Task, called))


_WITH: dict[str, Callable[[str], Q]] = {
    "site": partial(named, "site", "computing_site", Site),
    "cloud": partial(named, "cloud", "cloud", Cloud),
    "task": _of_task,
    "label": lambda text: Q(prod_source_label=text),
}


def parse_filter(given: QueryDict) -> JobFilter:
    """The filter of a query string; BadInput names the parameter, the value and the range."""
    params = Params(given, known=KNOWN, keep_empty=True)
    return replace(filter_of(params), before=params.number("before", low=1, high=2**63 - 1))


def filter_of(params: Params) -> JobFilter:
    """What the REST list and the monitor's list both filter by."""
    state = params.choice("state", list(JobState), code="unknown_state")
    params.choice("label", LABELS, code="unknown_label")
    texts = {name: params.text(name) for name in TEXT_FILTERS if params.text(name)}
    limit = params.number("limit", low=1, high=LIMIT_MAX)
    return JobFilter(state=state, texts=texts, limit=limit or JobFilter.limit)


def listed(wanted: JobFilter) -> dict[str, Any]:
    """A page of jobs, newest first; `before` continues it."""
    jobs = wanted.apply(AnyJob.objects.defer("job_parameters"))
    jobs = jobs.select_related("cloud", "computing_site", "vo", "task")
    page = list(jobs.order_by("-panda_id")[: wanted.limit + 1])
    more = len(page) > wanted.limit
    shown = page[: wanted.limit]
    return {
        "jobs": [summary(job) for job in overlaid(shown)],
        "before": shown[-1].pk if more else None,
    }


def summary(job: AnyJob) -> dict[str, Any]:
    """The facts of a job that a list shows."""
    return {
        "panda_id": job.pk,
        "job_name": job.job_name,
        "state": job.state,
        "prod_source_label": job.prod_source_label,
        "task": job.task.name if job.task else None,
        "task_id": job.task_id,
        "vo": job.vo.name,
        "prod_user_id": job.prod_user_id,
        "cloud": job.cloud.name if job.cloud else None,
        "computing_site": job.computing_site.name if job.computing_site else None,
        "node": job.node,
        "current_priority": job.current_priority,
        "attempt_nr": job.attempt_nr,
        "max_attempt": job.max_attempt,
        "retry_of": job.retry_of,
        "creation_time": job.creation_time,
        "start_time": job.start_time,
        "end_time": job.end_time,
        "modification_time": job.modification_time,
        "cpu_consumption_time": job.cpu_consumption_time,
        "errors": [
            {"component": component, "code": code, "diag": diag}
            for component, code, diag in job.errors()
        ],
    }


def job_json(job: AnyJob) -> dict[str, Any]:
    """Everything that is known of a job."""
    overlaid([job])
    files = job.files.select_related("dataset", "block", "file")
    return summary(job) | {
        "transformation": job.transformation,
        "job_parameters": job.job_parameters,
        "job_definition_id": job.job_definition_id,
        "atlas_release": job.atlas_release,
        "cmt_config": job.cmt_config,
        "trans_exit_code": job.trans_exit_code,
        "max_rss_mb": job.max_rss_mb,
        "files": [
            {
                "type": f.type,
                "scope": f.scope,
                "lfn": f.lfn,
                "dataset": f.dataset.name if f.dataset else None,
                "block": f.block.name if f.block else None,
                "status": f.status,
                "guid": f.guid or (f.file.guid if f.file else ""),
                "size": f.size if f.size is not None else (f.file.size if f.file else None),
                "adler32": f.adler32 or (f.file.adler32 if f.file else ""),
                "events": f.events,
            }
            for f in files
        ],
        "events": list(
            job.events.order_by("seq").values(
                "seq", "attempt_nr", "from_state", "to_state", "actor", "at", "reason"
            )
        ),
        "decision": job.decision.detail if job.decision else None,
    }
