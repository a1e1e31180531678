"""Which node is a black hole: it fails what it takes, and takes ever more. Pure.

The rule of bigPanDAmon (its page of worker nodes): many failures, and many more of them than at the
other nodes of the site.
"""

from __future__ import annotations

HIGH, VERY_HIGH = "HighFailed", "VeryHigh"
FEW_FAILURES = 5  # up to so many are no outlier
LOW_PERCENT = 10.0  # and up to this rate
RED_PERCENT = 20.0  # a rate above is shown in red, and is high whatever the others do
HALF_PERCENT = 50.0  # above it, a rate is very high whatever the others do
TIMES, MANY_TIMES = 5, 10  # the average of the site

HELP = {
    HIGH: f"over {LOW_PERCENT:.0f} % and over {FEW_FAILURES} jobs failed, which is over"
    f" {RED_PERCENT:.0f} % or {TIMES} times the average of the site",
    VERY_HIGH: f"over {HALF_PERCENT:.0f} % failed, or {MANY_TIMES} times the average of the site",
}


def rate(finished: int, failed: int) -> float:
    """Failed of those that finished or failed, percent; 0 of none."""
    return 100 * failed / (finished + failed) if failed else 0.0


def outlier(*, finished: int, failed: int, average: float) -> str:
    """HIGH, VERY_HIGH or ''; `average` is the rate of all nodes of the site in percent."""
    percent = rate(finished, failed)
    if failed <= FEW_FAILURES or percent <= LOW_PERCENT:
        return ""
    if percent > HALF_PERCENT or percent >= MANY_TIMES * average:
        return VERY_HIGH
    if percent > RED_PERCENT or percent >= TIMES * average:
        return HIGH
    return ""
