"""Deeds to many jobs: what each would come to, said before; then done, with a result for each.

The owner of a job may kill and try it again, and change its priority as far as he could have
submitted it. For the jobs of others a right is needed. Each deed leaves an audit line.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import QueryDict

from jobs import debug, retry, services
from jobs import priority as priorities
from jobs.models import AnyJob
from jobs.states import FINAL, LEASED, QUEUED
from monitor import joblist
from monitor.words import plural
from pandasite.base import audit
from pandasite.base.errors import BadInput, Conflict, DomainError, TooMuch, field_error
from pandasite.base.fields import CONTROL
from pandasite.base.params import refuse

MOST = 500  # jobs at once, as in the admin
LONGEST_REASON = 255


@dataclass(frozen=True, kw_only=True)
class Order:
    """Who wants it, why, when, and for `priority` which one."""

    user: Any
    reason: str
    now: dt.datetime
    priority: int = 0


@dataclass(frozen=True, kw_only=True)
class Line:
    """One job: what comes of it, or why nothing does."""

    job: int
    state: str
    ok: bool
    words: str
    link: int | None = None  # a job that came of it


@dataclass(frozen=True, kw_only=True)
class Act:
    """A deed: its name on buttons, the right for the jobs of others, and what it does."""

    title: str
    permission: str
    foresee: Callable[[AnyJob], tuple[bool, str]]
    explain: str


# -- before ----------------------------------------------------------------------------------------


def _foresee_kill(job: AnyJob) -> tuple[bool, str]:
    if job.state in QUEUED:
        return True, "is cancelled at once"
    if job.state in LEASED:
        return True, "ends when its pilot calls next"
    return False, f"is {job.state} already" if job.state in FINAL else f"is {job.state}: too late"


def _foresee_retry(job: AnyJob) -> tuple[bool, str]:
    if job.state == "failed":
        return True, "is tried again as a new job"
    return False, f"is {job.state}: only failed jobs are tried again"


def _foresee_priority(job: AnyJob) -> tuple[bool, str]:
    if job.state in QUEUED:
        return True, f"gets another priority than {job.current_priority}"
    return False, f"is {job.state}: it waits no longer"


def _foresee_debug(job: AnyJob) -> tuple[bool, str]:
    if job.state in FINAL:
        return False, f"is {job.state}: nothing of it runs any more"
    when = "at its next call" if job.state in LEASED else "once it has the job"
    return True, f"its pilot is told {when}"


ACTS = {
    "kill": Act(
        title="Kill",
        permission="jobs.kill_any_job",
        foresee=_foresee_kill,
        explain="Jobs that wait are cancelled at once; those with a pilot end at its next call.",
    ),
    "retry": Act(
        title="Try again",
        permission="jobs.retry_any_job",
        foresee=_foresee_retry,
        explain="Each failed job gets a successor, with one attempt more than it had if need be.",
    ),
    "priority": Act(
        title="Change priority",
        permission="jobs.submit_production",
        foresee=_foresee_priority,
        explain="Of the jobs that wait at a site, those of higher priority are handed out first.",
    ),
    "debug": Act(
        title="Debug on",
        permission="jobs.kill_any_job",
        foresee=_foresee_debug,
        explain="PanDA's pilots send more of the job's output, and call more often. Ours send its"
        " end with each call anyway.",
    ),
    "debugoff": Act(
        title="Debug off",
        permission="jobs.kill_any_job",
        foresee=_foresee_debug,
        explain="PanDA's pilots send no more of the job's output than of others.",
    ),
}


def chosen_act(name: str) -> Act:
    """The deed of that name. Raises BadInput."""
    if name not in ACTS:
        raise refuse("action", name, f"one of {', '.join(ACTS)}", values=[*ACTS])
    return ACTS[name]


def chosen_ids(texts: Collection[str]) -> list[int]:
    """PandaIDs, each once, ascending. Raises BadInput and TooMuch."""
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
            raise refuse("id", text, "a PandaID, a number from 1 to 999999999999999999")
    ids = sorted({int(text) for text in texts})
    if not ids:
        raise refuse("id", "", "at least one PandaID: tick jobs in the list")
    if len(ids) > MOST:
        raise TooMuch(f"at most {MOST} jobs at once, not {len(ids):,}: choose fewer")
    return ids


def matching_ids(query: str, *, now: dt.datetime) -> list[int]:
    """The PandaIDs of a search. Raises BadInput and TooMuch."""
    wanted = joblist.parse(QueryDict(query), now=now)
    found = wanted.matching().order_by("-panda_id").values_list("pk", flat=True)[: MOST + 1]
    return chosen_ids([str(panda_id) for panda_id in found])


def plan(name: str, ids: Sequence[int], user: Any) -> list[Line]:
    """What would come of each job."""
    act = chosen_act(name)
    retriable = set(retry.retriable(ids)) if name == "retry" else set()
    found = {job.pk: job for job in AnyJob.objects.filter(pk__in=ids).defer("job_parameters")}
    lines = []
    for panda_id in ids:
        job = found.get(panda_id)
        if job is None:
            lines.append(Line(job=panda_id, state="", ok=False, words="there is no such job"))
            continue
        ok, words = act.foresee(job)
        if name == "retry" and ok and panda_id not in retriable:
            ok, words = False, "has a successor already"
        if ok and (why := _not_allowed(name, job, user)):
            ok, words = False, why
        lines.append(Line(job=panda_id, state=job.state, ok=ok, words=words))
    return lines


def summed(lines: Sequence[Line]) -> list[tuple[str, bool]]:
    """How many jobs come to what, most first, those that go first."""
    tally = Counter((line.words, line.ok) for line in lines)
    ranked = sorted(tally.items(), key=lambda item: (not item[0][1], -item[1], item[0][0]))
    return [(f"{plural(n, 'job')}: {words}", ok) for (words, ok), n in ranked]


def _not_allowed(name: str, job: AnyJob, user: Any, priority: int | None = None) -> str:
    """Why this person may not do it to the job; '' when he may."""
    if user.has_perm(ACTS[name].permission, job):
        return ""
    if job.owner_id != user.pk:
        return f"belongs to {job.prod_user_id}: needs the right {ACTS[name].permission}"
    cap = settings.PANDASITE["USER_PRIORITY_CAP"]
    if priority is not None and priority > cap:
        return f"may have a priority of at most {cap} without a production role"
    return ""


# -- the deed --------------------------------------------------------------------------------------


def checked_reason(text: str) -> str:
    """One line; BadInput when it is empty, too long, or has control characters."""
    text = text.strip()
    words = ""
    if not text:
        words = "reason must not be empty: it is kept with your name"
    elif len(text) > LONGEST_REASON:
        words = f"reason must have at most {LONGEST_REASON} characters, not {len(text)}"
    elif CONTROL.search(text):
        words = "reason must be one line without control characters"
    if words:
        error = field_error("reason", words, code="bad_reason", max=LONGEST_REASON)
        raise BadInput(words, code="bad_reason", fields=[error])
    return text


def carry_out(name: str, ids: Sequence[int], order: Order) -> list[Line]:
    """Do it to each job that may be; one refusal does not stop the others."""
    chosen_act(name)
    jobs = {job.pk: job for job in AnyJob.objects.filter(pk__in=ids).defer("job_parameters")}
    wanted = order.priority if name == "priority" else None
    refused = {
        pk: _not_allowed(name, jobs[pk], order.user, wanted) if pk in jobs else "there is none"
        for pk in ids
    }
    allowed = [pk for pk in ids if not refused[pk]]
    done = _retried(allowed, order) if name == "retry" else _each(name, allowed, order)
    no = [Line(job=pk, state="", ok=False, words=why) for pk, why in refused.items() if why]
    states = dict(AnyJob.objects.filter(pk__in=ids).values_list("pk", "state"))
    lines = sorted([*done, *no], key=lambda line: line.job)
    return [
        Line(job=x.job, state=states.get(x.job, ""), ok=x.ok, words=x.words, link=x.link)
        for x in lines
    ]


def _each(name: str, ids: Sequence[int], order: Order) -> list[Line]:
    lines = []
    for panda_id in ids:
        try:
            with transaction.atomic():
                words = DEEDS[name](panda_id, order)
                audit.record(
                    actor=order.user,
                    action=f"job_{name}",
                    subject=f"job {panda_id}",
                    reason=order.reason,
                    now=order.now,
                    facts={"outcome": words},
                )
        except DomainError as error:
            lines.append(Line(job=panda_id, state="", ok=False, words=error.message))
        else:
            lines.append(Line(job=panda_id, state="", ok=True, words=words))
    return lines


def _kill(panda_id: int, order: Order) -> str:
    actor = order.user.get_username()
    state = services.kill(panda_id, actor=actor, reason=order.reason, now=order.now)
    return "its pilot is told to end it" if state in LEASED else state


def _prioritise(panda_id: int, order: Order) -> str:
    priorities.set_priority(panda_id, order.priority, now=order.now)
    return f"priority {order.priority}"


def _debug(panda_id: int, order: Order, *, on: bool) -> str:
    state = AnyJob.objects.values_list("state", flat=True).get(pk=panda_id)
    if state in FINAL:
        raise Conflict(f"job {panda_id} is {state}: nothing of it runs any more")
    debug.keep_mode(panda_id, on=on, user=order.user, now=order.now)
    return f"its pilot is told: debug mode {'on' if on else 'off'}"


DEEDS: dict[str, Callable[[int, Order], str]] = {
    "kill": _kill,
    "priority": _prioritise,
    "debug": partial(_debug, on=True),
    "debugoff": partial(_debug, on=False),
}


def _retried(ids: Sequence[int], order: Order) -> list[Line]:
    if not ids:
        return []
    subject = f"job {ids[0]}" if len(ids) == 1 else f"{len(ids)} jobs"
    result = retry.retry(ids, user=order.user, reason=order.reason, now=order.now, subject=subject)
    tried = [
        Line(job=old, state="", ok=True, words="is tried again as", link=new)
        for old, new in result.successors.items()
    ]
    no = [Line(job=pk, state="", ok=False, words=why) for pk, why in result.refused.items()]
    return [*tried, *no]
