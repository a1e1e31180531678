"""Bamboo: the cycle between the production database and our jobs, every ten minutes.

1. take new task requests, 2. give tasks their clouds, 3. submit the jobs of job definitions,
4. write states back, 5. kill what is to be aborted. See docs/proddb.md.

The two databases share no transaction. What makes each step happen once is in the database where
it happens: a job and the note that its definition has one are one transaction of ours, and a state
written twice is the same state, with one line in the outbox. Whatever is killed between two
databases is found again by the next cycle, which asks both.
"""

from jobs.bamboo.cycle import NAME, Report, cycle, run

__all__ = ["NAME", "Report", "cycle", "run"]
