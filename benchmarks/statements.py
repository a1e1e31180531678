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
from jobs import dispatch, many_claims
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
_SITE = "\\set site{nr} random({low}, {high})\n"
# Two numbers in their order: the claims of a group come in that of their sites.
_SWAP = """\\set low least(:site{a}, :site{b})
\\set site{b} greatest(:site{a}, :site{b})
\\set site{a} :low
"""
_MARK = r"@[a-z_]+[0-9]+@"  # where pgbench puts something into the text of a group
_L0 = """
WITH candidate AS MATERIALIZED (
  SELECT panda_id FROM {table}
  WHERE state = 'activated' AND computing_site_id = :site0
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
    return _sites(grid, 1) + _L0.format(table=table)


def own_claims(grid: Grid, n: int = 1) -> str:
    """L as a script for pgbench: the very call of a web process, with tokens, pilots and keys.

    For one claim, or for a group at sites drawn by chance, by pilots that are all different.
    """
    text = many_claims.text([_ASKED | _marks(nr) for nr in range(n)])
    words, marks = re.split(_MARK, text), re.findall(_MARK, text)
    told = [_quoted(words[0])]
    for mark, word in zip(marks, words[1:], strict=True):
        told += [_known(grid, *_named(mark)), _quoted(word)]
    values = _COMMON | {"asked": f"({' || '.join(told)})::jobs_ask[]"}
    statement = re.sub(r"%\((\w+)\)s", lambda match: values[match[1]], many_claims.CLAIMS)
    return _drawn(grid, n) + statement + ";\n"


def one_heartbeat(first: int, last: int) -> str:
    """One lease renewed, of a job among these."""
    return _BEAT.format(first=first, last=last)


def _drawn(grid: Grid, n: int) -> str:
    """Sites in order, and for each a pilot that no other claim has, and a key."""
    pairs = ((a, a + 1) for end in range(n - 1, 0, -1) for a in range(end))
    swaps = [_SWAP.format(a=a, b=b) for a, b in pairs]
    bounds = [nr * PILOTS_A_SITE // n for nr in range(n + 1)]
    own = [
        f"\\set pilot{nr} random({bounds[nr]}, {bounds[nr + 1] - 1})\n"
        f"\\set key{nr} random(1, {10**15})\n"
        for nr in range(n)
    ]
    return "".join([_sites(grid, n), *swaps, *own])


def _sites(grid: Grid, n: int) -> str:
    keys = sorted(place.pk for place in grid.sites)
    assert keys[-1] - keys[0] + 1 == len(keys), "pgbench draws the sites from a range"
    return "".join(_SITE.format(nr=nr, low=keys[0], high=keys[-1]) for nr in range(n))


def _marks(nr: int) -> dict[str, str]:
    names = ("token", "account", "site", "key", "pilot_id", "node")
    return {name: f"@{name}{nr}@" for name in names}


def _named(mark: str) -> tuple[str, int]:
    name = mark.strip("@").rstrip("0123456789")
    return name, int(mark.strip("@")[len(name) :])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _known(grid: Grid, name: str, nr: int) -> str:
    """What the claim with this number says there, in SQL."""
    site, pilot = f":site{nr}", f":pilot{nr}"
    if name == "token":
        return _of_site(grid, _by_site("user__auth_token_set__digest"), site)
    if name == "account":
        return _of_site(grid, _by_site("pk"), site)
    if name == "pilot_id":
        names = {place.pk: f"{place.name}-pilot-" for place in grid.sites}
        return f"{_of_site(grid, names, site)} || {pilot}"
    if name == "node":
        return _node(grid, site, pilot)
    return {"site": site, "key": f"'bench-' || :key{nr}"}[name]


def _of_site(grid: Grid, values: Mapping[int, object], site: str) -> str:
    """What belongs to a site, out of an array of all of them."""
    sites = sorted(place.pk for place in grid.sites)
    listed = ", ".join(f"'{values[site]}'" for site in sites)
    return f"(ARRAY[{listed}]::text[])[{site} - {sites[0] - 1}]"


def _node(grid: Grid, site: str, pilot: str) -> str:
    """The node that the pilot runs on, which is known already: as over HTTP."""
    before, after = node("SITE", 0).split("0000")
    assert after == ".site.example.org", "the node has its number, then its site"
    ends = {place.pk: node(place.name, 0).split("0000")[1] for place in grid.sites}
    number = f"lpad(({pilot} / {PILOTS_A_NODE})::text, 4, '0')"
    return f"'{before}' || {number} || {_of_site(grid, ends, site)}"


def _by_site(column: str) -> dict[int, object]:
    return dict(PilotAccount.objects.values_list("site_id", column))


# Whatever else `dispatch` says of a claim; the same for each.
_ASKED: dict[str, str | int | None] = {
    "body": "b" * 64,
    "factory": "bench",
    "memory_mb": MEMORY_MB,
    "free_disk_mb": DISK_MB,
    "cpu_speed_mhz": CPU_MHZ,
    "core_count": CORES,
    "labels": many_claims.array(LABELS),
    "releases": many_claims.array(dispatch.release_keys((name, CMT_CONFIG) for name in RELEASES)),
    "n_jobs": 1,
    "salt": "c" * 32,
    "leases": many_claims.array(["a" * 64]),
    "sent_at": None,
}
_COMMON: dict[str, str] = {  # and of all claims
    "install": "ARRAY['install']",
    "reprocessing": "ARRAY['reprocessing']",
    "sent_seconds": "1800",
    "noted": "60",
    "now": "NULL",
}
