"""The rows of the dashboard, one by one: what was counted, by cloud and site. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.states import JobState
from monitor.queries import Facts
from monitor.rows import Row

NO_SITE = "no site yet"


def rows_of(facts: Facts) -> dict[tuple[int, int], Row]:
    """Rows by (cloud, site); 0 = none. Every site has one, also without jobs.

    Jobs stay with the cloud that they were given to, even if their site has moved to another.
    """
    names = {site.pk: site.name for site in facts.sites}
    rows = {(site.cloud_id, site.pk): Row(name=site.name) for site in facts.sites}
    for site in facts.sites:
        if seen := facts.seen.get(site.pk):
            rows[site.cloud_id, site.pk].nodes = seen.nodes
            rows[site.cloud_id, site.pk].pilots = seen.pilots
    for count in facts.counts:
        key = (count.cloud_id, count.site_id)
        if key not in rows:
            rows[key] = Row(name=names.get(count.site_id, NO_SITE))
        rows[key].count(count)
    for stale in facts.stale:
        key = (stale.cloud_id, stale.site_id)
        if key in rows and stale.state == "transferring":
            rows[key].stale_transferring += stale.n
    return rows


def worst(rows: Mapping[tuple[int, int], Row]) -> list[int]:
    """Sites that fail a lot, those with the most failures first."""
    failing = [(site, row) for (_cloud, site), row in rows.items() if row.fails_a_lot and site]
    failing.sort(key=lambda pair: -pair[1].states[JobState.FAILED])
    return [site for site, _row in failing]
