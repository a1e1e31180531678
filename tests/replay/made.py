"""A log of our own making with the statistics of a grid's: see docs/replay.md."""

from __future__ import annotations

import random

HEADER = """\
; Version: 2.2
; Computer: made for tests
; UnixStartTime: 1132444800
"""


def swf(jobs: int, *, sites: int = 12, users: int = 20, groups: int = 5, seed: int = 1) -> str:
    """So many jobs of one core: bursts of a user, run times from seconds to days.

    As in the LCG log half of the jobs run for less than 5 minutes, a tenth for more than 4 hours,
    few users have most of the jobs, and so do few sites.
    """
    dice = random.Random(seed)
    lines = [f"; Partition: {site:2} site{site}.example.org" for site in range(1, sites + 1)]
    number = at = 0
    while number < jobs:
        at += round(dice.expovariate(1 / 60))
        user = 1 + min(int(dice.expovariate(4 / users)), users - 1)
        site = 1 + min(int(dice.expovariate(4 / sites)), sites - 1)
        for _ in range(min(1 + int(dice.paretovariate(1.2)), 40, jobs - number)):
            number += 1
            run = round(min(dice.lognormvariate(5.54, 3.2), 172_800))
            at += dice.randint(0, 3)
            lines.append(
                f"{number} {at} -1 {run} 1 -1 -1 -1 86400 -1 -1 {user} {1 + user % groups}"
                f" -1 -1 {site} -1 -1"
            )
    return HEADER + "\n".join(lines) + "\n"
