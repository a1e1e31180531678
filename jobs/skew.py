"""A pilot's clock: it decides nothing, and one that is far off is noted where its word is kept."""

from __future__ import annotations

import datetime as dt

NOTED = 300  # s


def noted_skew(sent_at: dt.datetime | None, now: dt.datetime) -> dict[str, int]:
    """By how many seconds the pilot's clock is ahead, if that is more than NOTED either way."""
    skew = round((sent_at - now).total_seconds()) if sent_at else 0
    return {"clock_skew_s": skew} if abs(skew) > NOTED else {}
