"""The filters of the job list: what each takes, and the condition that it makes.

A filter takes a word, several with commas between, a beginning with `*` behind it, a number or a
range of numbers, or `-` for "none". A name that nothing has is refused, since
an empty list would look as if all were well.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from django.db.models import Exists, Model, OuterRef, Q

from brokerage.models import VO, Cloud, Site
from datasets.models import StorageElement
from jobs.labels import LABELS
from jobs.models import ERROR_COMPONENTS, AnyJob, Pulse, Task
from jobs.states import FINAL, LEASED, JobState
from monitor import lists
from monitor.params import Params, Period
from monitor.words import KINDS, NONE
from pandasite.base.clock import full_hour
from pandasite.base.params import refuse

Reader = Callable[[Params, str, dt.datetime], Q]

# As jobs.counts has it: a failure that carries an error of the payload.
PAYLOAD = ~Q(exe_error_code=0) | ~Q(trans_error_code=0)
LONGEST_LIST = 1000  # characters of several names
TASKS_MOST = 1000  # that a beginning may stand for
WORKFLOW, NO_TYPE = " / ", "no type"  # between its two halves; in the place of an empty one
LONGEST_WORKFLOW = 64 + len(WORKFLOW) + 255
RANGE = re.compile(r"(-?[0-9]{1,9})?(\.\.)?(-?[0-9]{1,9})?")


# -- words ---------------------------------------------------------------------------------------


def _words(column: str, among: Iterable[str], params: Params, name: str, _now: dt.datetime) -> Q:
    """One of the known words, or several."""
    given, known = params.text(name).split(","), [*map(str, among)]
    for word in given:
        if word not in known:
            words = f"one of {', '.join(known)}, or several with commas between"
            raise refuse(name, word, words, code=f"unknown_{name}", values=known)
    return _equal(column, given)


def _kind(params: Params, name: str, _now: dt.datetime) -> Q:
    return Q(prod_source_label__in=KINDS[params.choice(name, KINDS)])


def _equal(column: str, values: Sequence[object]) -> Q:
    """`=` where it is one: it says more to the planner than a list."""
    return Q(**{column: values[0]}) if len(values) == 1 else Q(**{f"{column}__in": values})


# -- names of small tables -------------------------------------------------------------------------


def _named(
    column: str, model: type[Model], thing: str, params: Params, name: str, _now: dt.datetime
) -> Q:
    """By name, by the beginning of a name, or `-`; looked up first, for a join would be slow."""
    known = {row[1]: row[0] for row in model._default_manager.values_list("pk", "name")}
    keys: set[int] = set()
    none = False
    for word in params.text(name, longest=LONGEST_LIST).split(","):
        if word == NONE:
            none = True
            continue
        keys |= {known[found] for found in _matching(name, word, known, thing)}
    found = Q(**{f"{column}__in": sorted(keys)}) if keys or not none else Q()
    return found | Q(**{f"{column}__isnull": True}) if none else found


def _matching(name: str, word: str, known: Iterable[str], thing: str) -> list[str]:
    start, star, behind = word.partition("*")
    if behind:
        raise refuse(name, word, f"the name of a {thing}, or its beginning and a * behind it")
    found = [n for n in known if n.startswith(start)] if star else [n for n in known if n == word]
    if not found:
        raise lists.no_such(name, word, known, thing)
    return found


def _task(params: Params, name: str, _now: dt.datetime) -> Q:
    """By ID, name, or beginning of the name."""
    text = params.text(name)
    if text == NONE:
        return Q(task__isnull=True)
    if text.isdigit():
        params.number(name, low=1, high=2**63 - 1)  # refuses what no task can have
    start, star, behind = text.partition("*")
    if behind:
        raise refuse(name, text, "a taskID, a name, or its beginning and a * behind it")
    called = Q(name__startswith=start) if star else Q(name=text)
    if text.isascii() and text.isdigit():
        called |= Q(pk=int(text))
    keys = list(Task.objects.filter(called).values_list("pk", flat=True)[: TASKS_MOST + 1])
    if not keys:
        raise refuse(name, text, "the ID or name of a task", code="unknown_name")
    if len(keys) > TASKS_MOST:
        raise refuse(name, text, f"a beginning that at most {TASKS_MOST:,} tasks have")
    return Q(task__in=keys)


def _user(params: Params, name: str, _now: dt.datetime) -> Q:
    """A prodUserID: of an account, or of some job."""
    text = params.text(name)
    start, star, behind = text.partition("*")
    if behind:
        raise refuse(name, text, "a prodUserID, or its beginning and a * behind it")
    if star:
        return Q(prod_user_id__startswith=start)
    return Q(prod_user_id=lists.account(params, name, known=_has_jobs))


def _has_jobs(user: str) -> bool:
    return AnyJob.objects.filter(prod_user_id=user).exists()


# -- texts and numbers of the job itself -----------------------------------------------------------


def _text(column: str, served: bool, params: Params, name: str, _now: dt.datetime) -> Q:
    """Exactly this text, `-` for an empty one; with `served` also by its beginning."""
    text = params.text(name)
    if text == NONE:
        return Q(**{column: ""})
    if "*" not in text:
        return Q(**{column: text})
    if not served or text.index("*") < len(text) - 1:
        words = "the beginning and a * behind it" if served else "the whole text, without a *"
        raise refuse(name, text, words, code="bad_star")
    return Q(**{f"{column}__startswith": text[:-1]})


def workflow_of(text: str) -> tuple[str, str]:
    """Processing type and transformation of `evgen / evgen.py`, or of `no type / evgen.py`."""
    kind, _slash, transformation = text.partition(WORKFLOW)
    return ("" if kind == NO_TYPE else kind), transformation


def _workflow(params: Params, name: str, _now: dt.datetime) -> Q:
    """As the error matrix names it."""
    text = params.text(name, longest=LONGEST_WORKFLOW)
    if WORKFLOW not in text:
        words = f"processing type{WORKFLOW}transformation, or {NO_TYPE}{WORKFLOW}transformation"
        raise refuse(name, text, words, code="bad_workflow")
    kind, transformation = workflow_of(text)
    return Q(processing_type=kind, transformation=transformation)


def _number(column: str, params: Params, name: str, _now: dt.datetime) -> Q:
    """`5`, `5..`, `..5`, `3..5`, both ends included; `-` where it may be empty."""
    text = params.text(name)
    if text == NONE:
        return Q(**{f"{column}__isnull": True})
    found = RANGE.fullmatch(text)
    if not found or (found[1] is None and found[3] is None) or (not found[2] and found[3]):
        words = "a number, or a range such as 1..5, 5.. or ..5 (-999999999 to 999999999)"
        raise refuse(name, text, words, code="bad_range")
    low, dots, high = found.groups()
    if not dots:
        return Q(**{column: int(low)})
    if low and high and int(low) > int(high):
        raise refuse(name, text, "a range whose first number is not above its last")
    made = Q(**{f"{column}__gte": int(low)}) if low else Q()
    return made & Q(**{f"{column}__lte": int(high)}) if high else made


# -- errors and times ------------------------------------------------------------------------------


def _cause(params: Params, name: str, _now: dt.datetime) -> Q:
    """`trf` or `other`: failed by the payload, or not."""
    cause = params.choice(name, ("trf", "other"))
    return Q(state=JobState.FAILED) & (PAYLOAD if cause == "trf" else ~PAYLOAD)


def _error(params: Params, name: str, _now: dt.datetime) -> Q:
    """`pilot:1099`, or `pilot` for any code of it."""
    text = params.text(name)
    component, colon, code = text.partition(":")
    if component not in ERROR_COMPONENTS:
        words = f"component:code, the component one of {', '.join(ERROR_COMPONENTS)}"
        raise refuse(name, text, words, code="unknown_component", values=[*ERROR_COMPONENTS])
    column = f"{component}_error_code"
    if not colon:
        return ~Q(**{column: 0})
    digits = code.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise refuse(name, text, "component:code with a number as code", code="bad_code")
    return Q(**{column: int(code)})


def _period(column: str, params: Params, name: str, now: dt.datetime) -> Q:
    period: Period = params.period(name, now=now)
    found = Q(**{f"{column}__gte": period.since}) if period.since else Q()
    return found & Q(**{f"{column}__lt": period.until}) if period.until else found


def _window(params: Params, name: str, now: dt.datetime) -> Q:
    """Live jobs, and those that ended since."""
    since = full_hour(now - dt.timedelta(hours=params.hours(name) or 0))
    # Live jobs are those without an end; said like that, weeks before the window are skipped.
    lately = Q(end_time__gte=since)
    return lately if _ended_only(params) else Q(end_time__isnull=True) | lately


def _ended_only(params: Params) -> bool:
    """Whether the other filters leave no live job: then an index knows where to begin."""
    states = params.values.get("state", "")
    return "cause" in params.values or (bool(states) and {*states.split(",")} <= {*map(str, FINAL)})


def _idle(params: Params, name: str, now: dt.datetime) -> Q:
    """Live jobs that no change, heartbeat or command has touched for so long."""
    cutoff = now - dt.timedelta(hours=params.hours(name) or 0)
    found = ~Q(state__in=FINAL)
    found &= Q(state_change_time__lt=cutoff, modification_time__lt=cutoff)
    heard = Pulse.objects.filter(pk=OuterRef("pk"), heard_at__gte=cutoff)
    return found & (~Q(state__in=LEASED) | Q(~Exists(heard)))


# -- all of them, in the order in which the page shows them ----------------------------------------

READERS: dict[str, Reader] = {
    "state": partial(_words, "state", JobState),
    "kind": _kind,
    "cloud": partial(_named, "cloud", Cloud, "cloud"),
    "site": partial(_named, "computing_site", Site, "site"),
    "task": _task,
    "label": partial(_words, "prod_source_label", LABELS),
    "user": _user,
    "group": partial(_text, "working_group", False),
    "vo": partial(_named, "vo", VO, "VO"),
    "node": partial(_text, "node", False),
    "error": _error,
    "cause": _cause,
    "exit_code": partial(_number, "trans_exit_code"),
    "ended": partial(_period, "end_time"),
    "created": partial(_period, "creation_time"),
    "window": _window,
    "idle": _idle,
    "name": partial(_text, "job_name", True),
    "processing_type": partial(_text, "processing_type", False),
    "transformation": partial(_text, "transformation", False),
    "workflow": _workflow,
    "release": partial(_text, "atlas_release", False),
    "platform": partial(_text, "cmt_config", False),
    "package": partial(_text, "homepackage", False),
    "priority": partial(_number, "current_priority"),
    "attempt": partial(_number, "attempt_nr"),
    "max_attempt": partial(_number, "max_attempt"),
    "cores": partial(_number, "core_count"),
    "memory": partial(_number, "min_ram_count"),
    "destination": partial(_named, "destination_se", StorageElement, "storage element"),
    "input": partial(_text, "prod_d_block", False),
    "output": partial(_text, "destination_d_block", False),
    "dispatch_block": partial(_text, "dispatch_d_block", False),
}
FILTERS = tuple(READERS)


def condition(params: Params, *, now: dt.datetime) -> Q:
    """What all filters that were given ask for together. Raises BadInput."""
    found = Q()
    for name, reader in READERS.items():
        if name in params.values:
            found &= reader(params, name, now)
    return found
