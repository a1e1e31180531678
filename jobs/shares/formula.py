"""The priority of a user's jobs, by the formula of 2009."""

from __future__ import annotations

FIRST = 1000  # of a user who has no job yet
MOST_OVERUSE = 100.0  # times the quota that count


def overuse(cpu_hours: float, quota_hours: float | None) -> float:
    """How many times the quota of a day was used; 0 while it is less than once, or without one."""
    if quota_hours is None:
        return 0.0
    if quota_hours == 0:
        return MOST_OVERUSE if cpu_hours > 0 else 0.0
    used = cpu_hours / quota_hours
    return min(used, MOST_OVERUSE) if used >= 1 else 0.0


def user_priority(*, offset: int, jobs: int, overused: float) -> int:
    """1000 + offset - n/5 - 100 x overuse, where n counts the user's queued and active jobs."""
    return FIRST + offset - jobs // 5 - round(100 * overused)


def own_priority(priority: int, *, overused: float) -> int:
    """That of a job which the formula is not for: its own, but for what its group overused."""
    return priority - round(100 * overused)
