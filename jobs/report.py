"""What a pilot may say: a heartbeat or its final word, one or many. It knows no HTTP.

Only the holder of the lease is heard. A word that was said before gets the same answer again and
changes nothing; a word of an old attempt is refused, with the command to end the payload.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from jobs import quick
from jobs.identity import Caller, TokenGone, must_hold
from jobs.judge import judge
from jobs.said import LOG_SCOPE, TOBEKILLED, Answer, Report, ReportedFile, log_name
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError

__all__ = [
    "LOG_SCOPE",
    "TOBEKILLED",
    "Answer",
    "Report",
    "ReportedFile",
    "hear",
    "hear_all",
    "in_steps",
    "log_name",
]


def hear(*, caller: Caller, report: Report, now: dt.datetime | None = None) -> Answer:
    """Apply a report, or refuse it with the reason. Without `now`, by the database's clock.

    TokenGone: the caller's token is not good any more, and nothing was heard.
    """
    answer = _quickly(caller, report, now)
    return answer or _judge(caller, report, now)


def hear_all(
    *, caller: Caller, reports: Sequence[Report], now: dt.datetime | None = None
) -> list[Answer | DomainError]:
    """Apply each report on its own; the answers or refusals in the order of the reports.

    Heartbeats are heard together, then the others one by one in the order of the PandaIDs; those
    on one job in their order. Each step is a transaction of its own: when the database goes away
    in between, the same reports again get the answers that they would have had.
    """
    return in_steps(
        reports,
        beats=lambda places: quick.beats(
            caller=caller, reports=[reports[place] for place in places], now=now
        ),
        hear=lambda place: hear(caller=caller, report=reports[place], now=now),
    )


def in_steps(
    reports: Sequence[Report],
    *,
    beats: Callable[[Sequence[int]], Mapping[int, Answer]],
    hear: Callable[[int], Answer],
) -> list[Answer | DomainError]:
    """What `hear_all` says, of reports by their places.

    `beats` hears heartbeats together and answers by PandaID; `hear` is for what it does not answer.
    """
    times = Counter(report.panda_id for report in reports)
    calm = [
        place
        for place, report in enumerate(reports)
        if times[report.panda_id] == 1 and not report.is_final and report.exit_code is None
    ]
    heard = beats(calm) if calm else {}
    answers: dict[int, Answer | DomainError] = {}
    for place in sorted(range(len(reports)), key=lambda place: reports[place].panda_id):
        early = heard.get(reports[place].panda_id)
        answers[place] = early or _heard_or_refused(hear, place)
    return [answers[place] for place in range(len(reports))]


def _heard_or_refused(hear: Callable[[int], Answer], place: int) -> Answer | DomainError:
    try:
        return hear(place)
    except TokenGone:
        raise  # whoever it is, nothing more is heard
    except DomainError as refusal:
        return refusal


def _quickly(caller: Caller, report: Report, now: dt.datetime | None) -> Answer | None:
    if report.is_final:
        return quick.final_word(caller=caller, report=report, now=now)
    if report.exit_code is not None:
        return None
    return quick.beat(caller=caller, report=report, now=now)


def _judge(caller: Caller, report: Report, now: dt.datetime | None) -> Answer:
    moment = now or database_now()
    must_hold(caller, now=moment)
    return judge(site_id=caller.site_id, site=caller.site, report=report, now=moment)
