"""Transfers in the hands of somebody other than the engine: the set-wise verbs for movers.

With services.py the only code that writes states of transfers (arrivals.py ends them).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import F

from datasets.models import Transfer
from datasets.reasons import reason_of
from datasets.states import TransferState
from pandasite.base import inorder
from pandasite.base.nudge import nudge


def hand_over(sources: Mapping[int, int], *, until: dt.datetime, now: dt.datetime) -> list[int]:
    """Take queued transfers (by key; with the source to read from) off the queue until then.

    Those that somebody else holds, or that are not a mover's any more, are left out.
    """
    with transaction.atomic():
        queued = Transfer.objects.filter(
            pk__in=sources, state=TransferState.QUEUED, carrier="mover"
        )
        held = queued.order_by("pk").select_for_update(skip_locked=True, of=("self",))
        taken = list(held.values_list("pk", flat=True))
        for source in {sources[pk] for pk in taken}:
            Transfer.objects.filter(pk__in=[pk for pk in taken if sources[pk] == source]).update(
                state=TransferState.COPYING,
                source=source,
                attempts=F("attempts") + 1,
                started_at=now,
                lease_until=until,
                error="",
                reason="",
            )
    return taken


def give_back(errors: Mapping[int, str], *, now: dt.datetime) -> None:
    """Their jobs did not bring them: tried again after a pause, or given up, with the reason."""
    attempts = settings.PANDASITE["MOVER_ATTEMPTS"]
    pause = dt.timedelta(minutes=settings.PANDASITE["MOVER_PAUSE_MINUTES"])
    inorder.hold(Transfer.objects.filter(pk__in=errors, state=TransferState.COPYING))
    for error in set(errors.values()):
        mine = Transfer.objects.filter(
            pk__in=[pk for pk in errors if errors[pk] == error],
            state=TransferState.COPYING,
            carrier="mover",
        )
        said = {"error": error, "reason": reason_of(error), "lease_until": None}
        mine.filter(attempts__gte=attempts).update(state=TransferState.FAILED, ended_at=now, **said)
        mine.update(state=TransferState.QUEUED, next_try_at=now + pause, **said)
    nudge("jobs.activate")
    nudge("jobs.complete_transfers")


def no_source(keys: list[int], *, now: dt.datetime) -> None:
    """No good replica is left to move: nothing could bring them."""
    error = "no good replica is left"
    inorder.update(
        Transfer.objects.filter(pk__in=keys, state=TransferState.QUEUED, carrier="mover"),
        state=TransferState.FAILED,
        permanent=True,
        error=error,
        reason=reason_of(error),
        ended_at=now,
    )
    nudge("jobs.activate")
    nudge("jobs.complete_transfers")
