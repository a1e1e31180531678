"""The pages of those who run the site, in a real browser."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from brokerage.bans import ban_node
from brokerage.services import set_cloud_status
from jobs.models import Job
from pandasite.base.clock import database_now
from pandasite.base.models import ServerProcess, SweepRun
from tests.builders import create_cloud, create_job, create_site, create_user
from tests.monitor.browsing import SMALL, Visit
from tests.monitor.test_browser import grid

__all__ = ["grid"]
ADDRESSES = (
    "/", "/servers/", "/servers/?table=sweeps", "/clouds/", "/clouds/US/", "/clouds/FR/",
    "/configuration/", "/configuration/?what=sites", "/configuration/?what=errors", "/help/",
    "/help/shift/", "/help/states/",
)  # fmt: skip


@pytest.fixture
def servers(grid: Job) -> dt.datetime:
    """Two web processes, one of which is silent, and a cloud that is offline; the time of it."""
    now = database_now()
    for pid, seconds in ((11, 5), (12, 300)):
        ServerProcess.objects.create(
            host=f"web{pid}", role="web", pid=pid, version="1", started_at=now, broker_ms=0.4,
            seen_at=now - dt.timedelta(seconds=seconds),
        )  # fmt: skip
    set_cloud_status(create_cloud("FR"), "offline", author="alice", reason="tapes move", now=now)
    return now


def test_nobody_is_kept_out_of_these_pages_and_they_fit_a_small_screen(
    visit: Visit, servers: dt.datetime
) -> None:
    visit.page.set_viewport_size(SMALL)
    for address in ADDRESSES:
        visit.see(address)
        assert visit.violations() == [], address
    visit.page.keyboard.press("?")
    assert visit.violations() == []


def test_a_silent_server_is_followed_to_its_row(visit: Visit, servers: dt.datetime) -> None:
    page = visit.page
    # given
    visit.see("/")
    assert page.get_by_text("web web12 failed").count() == 1
    # when
    page.get_by_role("link", name="web web12: no sign of life").click()
    # then
    table = page.get_by_role("region", name="Processes").get_by_role("table")
    assert table.locator("tbody tr").count() == ServerProcess.objects.count()
    assert "failed" in table.get_by_role("row").filter(has_text="web12").inner_text()


def test_the_sweeps_are_sorted_by_a_click(visit: Visit, servers: dt.datetime) -> None:
    page = visit.page
    SweepRun.objects.filter(name="jobs.watch").update(runs=77)
    # given
    visit.see("/servers/")
    sweeps = page.get_by_role("region", name="Sweeps")
    sweeps.get_by_role("link", name="sort, choose, help").click()
    # when: upwards, then downwards
    page.get_by_role("link", name="Rounds").click()
    page.get_by_role("link", name="Rounds").click()
    # then
    assert page.url.endswith("?table=sweeps&sort=-runs")
    first = page.locator("tbody tr").first.inner_text()
    assert first.startswith("jobs.watch")
    assert "77" in first


def test_the_number_of_a_cloud_leads_to_its_jobs(visit: Visit, servers: dt.datetime) -> None:
    page = visit.page
    # given
    visit.see("/clouds/")
    page.get_by_role("link", name="24 h").click()
    row = page.get_by_role("row").filter(has_text="US")
    # when
    row.get_by_role("link", name=str(Job.objects.filter(state="failed").count())).last.click()
    # then
    assert "state=failed" in page.url
    assert "ended=24h" in page.url
    assert page.locator("#count").inner_text() == str(Job.objects.filter(state="failed").count())


def test_the_checklist_is_opened_and_stays_so_while_the_page_renews_itself(
    visit: Visit, servers: dt.datetime
) -> None:
    page = visit.page
    # given
    visit.see("/")
    page.get_by_text("The shift checklist").click()
    assert page.get_by_text("it found a site for every job").is_visible()
    # when
    set_cloud_status(create_cloud("FR"), "online", author="alice", reason="done", now=servers)
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#board', swap: 'outerHTML'})")
    page.wait_for_function("!document.body.innerText.includes('cloud FR is offline')")
    # then
    assert page.get_by_text("it found a site for every job").is_visible()


@pytest.fixture
def abroad(browser: Browser, site_url: str) -> Iterator[Page]:
    """A page of somebody in New York."""
    context = browser.new_context(
        base_url=site_url, timezone_id="America/New_York", viewport={"width": 1366, "height": 900}
    )
    yield context.new_page()
    context.close()


def test_times_are_shown_in_the_zone_of_the_reader_on_all_pages(
    abroad: Page, servers: dt.datetime
) -> None:
    # given
    abroad.goto("/servers/")
    cell = abroad.get_by_role("region", name="Processes").locator("tbody time").first
    assert cell.inner_text() == f"{servers:%m-%d %H:%M}"
    # when
    abroad.get_by_role("button", name="Local").click()
    # then
    there = servers.astimezone(dt.timezone(-dt.timedelta(hours=5)))
    summer = servers.astimezone(dt.timezone(-dt.timedelta(hours=4)))
    shown = [f"{moment:%m-%d %H:%M}" for moment in (there, summer)]
    assert cell.inner_text() in shown
    abroad.goto("/")
    clock = abroad.locator(".clock")
    assert "UTC" not in clock.inner_text()
    assert abroad.locator("tfoot time").inner_text() in shown
    assert re.fullmatch(r"\d+ s", abroad.locator(".fresh time[data-age]").inner_text())
    # and back
    abroad.get_by_role("button", name="UTC").click()
    assert abroad.locator("tfoot time").inner_text() == f"{servers:%m-%d %H:%M}"
    assert "UTC" in clock.inner_text()


def test_the_plot_and_the_ban_of_a_node_follow_the_zone_of_the_reader(
    abroad: Page, servers: dt.datetime
) -> None:
    # given
    site, day = create_site("BNL"), dt.timedelta(days=1)
    create_job("finished", site=site, at=servers, node="wn1")
    ban_node(site, "wn1", user=create_user("olga"), reason="r", now=servers, until=servers + day)
    hour = f"{servers:%m-%d %H}:00"
    bars = "echarts.getInstanceByDom(document.querySelector('figure .canvas')).getOption()"
    # when
    abroad.goto("/nodes/BNL/wn1/?hours=3")
    expect(abroad.locator("figure[data-drawn=bars]")).to_have_count(1)
    # then
    assert abroad.evaluate(f"{bars}.xAxis[0].data.at(-1)") == hour
    # when
    abroad.get_by_role("button", name="Local").click()
    # then
    assert "UTC" not in abroad.locator("figcaption").inner_text()
    there = servers.astimezone(ZoneInfo("America/New_York"))
    expect(abroad.locator(".attention time").first).to_have_text(f"{there:%Y-%m-%d %H:%M:%S}")
    abroad.wait_for_function(f"{bars}.xAxis[0].data.at(-1) === '{there:%m-%d %H}:00'")
    abroad.goto("/nodes/?hours=3")
    ban = abroad.get_by_role("row", name="wn1").locator("td").last
    expect(ban).to_contain_text(f"banned until {there + day:%m-%d %H:%M}")
    expect(ban).not_to_contain_text("UTC")


def test_keys_open_pages_and_do_nothing_while_somebody_types(
    visit: Visit, servers: dt.datetime
) -> None:
    page = visit.page
    keys = page.get_by_role("dialog", name="Keys")
    # the list of the keys
    visit.see("/")
    page.keyboard.press("?")
    assert keys.is_visible()
    page.keyboard.press("Escape")
    assert not keys.is_visible()
    # the menu
    page.keyboard.press("m")
    assert page.get_by_role("navigation", name="All pages").is_visible()
    page.keyboard.press("m")
    # pause
    page.keyboard.press("p")
    assert page.get_by_role("button", name="Go on").is_visible()
    # a page
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/clouds/")
    # and none of it in a field
    page.keyboard.press("/")
    page.keyboard.type("?mgj")
    assert not keys.is_visible()
    assert page.url.endswith("/clouds/")
