"""What limits a job, a user or a task, in sentences."""

import pytest

from jobs.quotas import Standing
from jobs.shares.words import LimitFacts, ShareFacts, sentences


def standing(used, limit, *, kind="user", name="alice", hard=False, offset=0):
    return Standing(
        kind=kind, name=name, used_hours=used, limit_hours=limit, hard=hard, offset=offset
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (LimitFacts(), []),
        (LimitFacts(standings=[standing(3, 10)]), []),
        (
            LimitFacts(standings=[standing(25, 10)]),
            ["User alice has used 25.0 of 10.0 CPU hours in 24 h: priorities are 250 lower."],
        ),
        (
            LimitFacts(standings=[standing(10, 10, kind="group", name="higgs", hard=True)]),
            [
                (
                    "Working group higgs has used 10.0 of 10.0 CPU hours in 24 h, which is a hard"
                    " limit: the jobs wait."
                )
            ],
        ),
        (LimitFacts(in_a_share=False), ["In no share: they go by their own priorities."]),
        (
            LimitFacts(share=ShareFacts(name="top", used=90, target=70, waiting=5)),
            ["Share top has 90 cores and should have 70: jobs of other shares go first."],
        ),
        (
            LimitFacts(share=ShareFacts(name="top", used=10, target=70, waiting=5)),
            [
                (
                    "Share top has 10 cores and should have 70: its jobs go before those of other"
                    " shares."
                )
            ],
        ),
        (
            LimitFacts(share=ShareFacts(name="top", used=7, target=7, waiting=0)),
            ["Share top has 7 cores and should have 7: it has what it can use."],
        ),
        (
            LimitFacts(
                analysis=True, user="alice", jobs=52, standings=[standing(0, None, offset=9)]
            ),
            [
                (
                    "User alice has 52 jobs queued and active, each fifth of which costs 1 of"
                    " 1,000 points: +9 by quota, priority 999."
                )
            ],
        ),
        (
            LimitFacts(given=(1003, 100)),
            ["Its turn is near: it has priority 1,003 for that, its own is 100."],
        ),
        (
            LimitFacts(by_hand=7),
            ["The priority 7 was set by hand: shares and quotas leave it alone."],
        ),
    ],
    ids=[
        "nothing", "within", "over", "hard", "no share", "share over", "share under", "share fair",
        "formula", "lifted", "by hand",
    ],
)  # fmt: skip
def test_what_limits_is_said_with_its_numbers(facts, words):
    assert sentences(facts) == words
