"""The plots in a real browser: drawn, chosen, followed, and readable by everybody."""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import expect

from monitor.plots import rollup
from monitor.plots.buckets import HOUR, floor
from monitor.plots.choice import KINDS
from pandasite.base.clock import database_now
from tests.builders import create_cloud, create_job, create_site
from tests.monitor.browsing import Visit

HOURS = 3


@pytest.fixture
def grid(site_url: str) -> None:
    """Two sites with jobs that run, and some that ended in the last hours."""
    now = database_now()
    sites = [create_site(name, cloud=create_cloud(name[:2])) for name in ("US1", "FR1")]
    for site in sites:
        create_job("running", site=site)
    for hour in range(1, HOURS + 1):
        start = floor(now, HOUR) - dt.timedelta(hours=hour)
        at = start + dt.timedelta(minutes=20)
        for site, state in ((sites[0], "finished"), (sites[1], "failed")):
            create_job(
                state, site=site, at=at, start_time=at - dt.timedelta(minutes=50),
                creation_time=at - dt.timedelta(hours=2), cpu_consumption_time=1500,
            )  # fmt: skip
        rollup.close_hour(start)
    rollup.sample(now)


def all_drawn(visit: Visit) -> None:
    expect(visit.page.locator("figure.plot:not([data-drawn])")).to_have_count(0)


def test_every_plot_is_drawn_and_breaks_no_serious_rule_of_accessibility(
    visit: Visit, grid: None
) -> None:
    page = visit.page
    # when
    visit.see("/plots/")
    all_drawn(visit)
    # then
    drawn = page.locator("figure.plot")
    assert drawn.count() == len(KINDS)
    kinds = {drawn.nth(nr).get_attribute("data-drawn") for nr in range(drawn.count())}
    assert kinds <= {"lines", "stacked", "bars", "nothing"}
    assert "stacked" in kinds
    assert visit.violations() == []
    visit.see("/plots/dwell/")
    assert visit.violations() == []


def test_a_choice_makes_the_address_and_the_numbers(visit: Visit, grid: None) -> None:
    page = visit.page
    # given
    visit.see("/plots/?what=ended")
    # when
    page.get_by_label("Site", exact=True).fill("FR1")
    page.get_by_role("button", name="Show").click()
    all_drawn(visit)
    # then
    assert page.url.endswith("/plots/?hours=24&what=ended&site=FR1")
    src = page.locator("figure.plot").get_attribute("data-src")
    found = page.evaluate("(src) => fetch(src).then((answer) => answer.json())", src)
    sums = {line["name"]: sum(v or 0 for v in line["values"]) for line in found["series"]}
    assert sums == {"finished": 0, "failed": HOURS, "cancelled": 0}
    # and all plots are one click away
    page.get_by_role("link", name="Jobs that ended").click()
    assert page.url.endswith("/plots/?hours=24&site=FR1")
    assert page.locator("figure.plot").count() == len(KINDS)


def test_a_plot_for_which_there_is_nothing_says_so(visit: Visit, grid: None) -> None:
    create_cloud("DE")
    visit.see("/plots/?what=wall&cloud=DE")
    all_drawn(visit)

    words = visit.page.locator("figure.plot .canvas").inner_text()
    assert words == "Nothing to draw for this choice."
