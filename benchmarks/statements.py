"""The statements that pgbench runs: the plainest possible claim (L0), our own (L), one heartbeat.

L0 knows no requirement, no pilot and no history: it takes the first activated job of a site. It is
run on a table with nothing but the columns and indexes it needs, and on our own job table with its
triggers, checks and indexes as they are; the ratio uses the second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from benchmarks.calls import LABELS
from benchmarks.grid import (
    CMT_CONFIG,
    CORES,
    CPU_MHZ,
    DISK_MB,
    MEMORY_MB,
    PILOTS_A_NODE,
    PILOTS_A_SITE,
    RELEASES,
    Grid,
    node,
)
from jobs import dispatch
from jobs.models import PilotAccount

PLAIN_TABLE = """
CREATE TABLE bench_plain AS SELECT panda_id, computing_site_id, state, current_priority,
  attempt_nr, lease_sha256, lease_until, modification_time, job_parameters FROM jobs_job;
ALTER TABLE bench_plain ADD PRIMARY KEY (panda_id);
CREATE INDEX bench_plain_queue ON bench_plain (computing_site_id, current_priority DESC, panda_id)
  WHERE state = 'activated';
CREATE INDEX bench_plain_live ON bench_plain (state) WHERE state <> 'finished';
VACUUM ANALYZE bench_plain;
"""
_SITE = "\\set site random({low}, {high})\n"
_L0 = """
WITH candidate AS MATERIALIZED (
  SELECT panda_id FROM {table}
  WHERE state = 'activated' AND computing_site_id = :site
  ORDER BY current_priority DESC, panda_id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE {table} j SET state = 'sent', attempt_nr = attempt_nr + 1, lease_sha256 = repeat('a', 64),
  lease_until = now() + interval '30 minutes', modification_time = now()
FROM candidate c WHERE j.panda_id = c.panda_id AND j.state = 'activated' RETURNING j.*;
"""
# The update that every heartbeat comes to, whatever is around it.
_BEAT = """
\\set job random({first}, {last})
UPDATE jobs_pulse SET lease_until = now() + interval '2 hours', heard_at = now(),
  report_seq = report_seq + 1, cpu_consumption_time = cpu_consumption_time + 1800,
  max_rss_mb = greatest(max_rss_mb, 900) WHERE job_id = :job;
"""


def plainest_claim(grid: Grid, *, table: str = "jobs_job") -> str:
    """L0 as a script for pgbench."""
    return _site(grid) + _L0.format(table=table)


def own_claim(grid: Grid) -> str:
    """L as a script for pgbench: the very call of `dispatch`, with a token, pilots and keys."""
    values = dict(_VALUES) | {
        "token": _of_site(grid, _digests()),
        "pilot_id": _pilot(grid, "pilot-"),
    }
    values |= {"node": _node(grid), "account": _of_site(grid, _accounts())}
    statement = re.sub(r"%\((\w+)\)s", lambda match: values[match[1]], dispatch._CLAIM)
    numbers = f"\\set pilot random(0, {PILOTS_A_SITE - 1})\n\\set key random(1, {10**15})\n"
    return _site(grid) + numbers + statement.strip() + ";\n"


def one_heartbeat(first: int, last: int) -> str:
    """One lease renewed, of a job among these."""
    return _BEAT.format(first=first, last=last)


def _site(grid: Grid) -> str:
    keys = sorted(place.pk for place in grid.sites)
    assert keys[-1] - keys[0] + 1 == len(keys), "pgbench draws the sites from a range"
    return _SITE.format(low=keys[0], high=keys[-1])


def _of_site(grid: Grid, values: Mapping[int, object]) -> str:
    """What belongs to the site that was drawn, out of an array of all of them."""
    sites = sorted(place.pk for place in grid.sites)
    kind = "bigint" if isinstance(values[sites[0]], int) else "text"
    listed = ", ".join(f"'{values[site]}'" for site in sites)
    return f"(ARRAY[{listed}]::{kind}[])[:site - {sites[0] - 1}]"


def _pilot(grid: Grid, prefix: str) -> str:
    names = {place.pk: f"{place.name}-{prefix}" for place in grid.sites}
    return f"({_of_site(grid, names)} || :pilot)"


def _node(grid: Grid) -> str:
    """The node that the pilot runs on, which is known already: as over HTTP."""
    before, after = node("SITE", 0).split("0000")
    assert after == ".site.example.org", "the node has its number, then its site"
    ends = {place.pk: node(place.name, 0).split("0000")[1] for place in grid.sites}
    number = f"lpad((:pilot / {PILOTS_A_NODE})::text, 4, '0')"
    return f"('{before}' || {number} || {_of_site(grid, ends)})"


def _accounts() -> dict[int, object]:
    return _by_site("pk")


def _digests() -> dict[int, object]:
    return _by_site("user__auth_token_set__digest")


def _by_site(column: str) -> dict[int, object]:
    return dict(PilotAccount.objects.values_list("site_id", column))


def _texts(words: list[str]) -> str:
    return "ARRAY[" + ", ".join(f"'{word}'" for word in words) + "]::text[]"


# Whatever else `dispatch` gives to the function; the same for every claim.
_VALUES: Mapping[str, str] = {
    "site": ":site",
    "key": "('bench-' || :key)",
    "body": "repeat('b', 64)",
    "factory": "'bench'",
    "memory_mb": str(MEMORY_MB),
    "free_disk_mb": str(DISK_MB),
    "cpu_speed_mhz": str(CPU_MHZ),
    "core_count": str(CORES),
    "labels": _texts(list(LABELS)),
    "releases": _texts(dispatch.release_keys((name, CMT_CONFIG) for name in RELEASES)),
    "install": _texts(["install"]),
    "reprocessing": _texts(["reprocessing"]),
    "n_jobs": "1",
    "salt": "repeat('c', 32)",
    "leases": "ARRAY[repeat('a', 64)]",
    "sent_seconds": "1800",
    "sent_at": "NULL::timestamptz",
    "noted": "60",
    "now": "NULL::timestamptz",
}
