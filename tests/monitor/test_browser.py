"""The pages in a real browser, in both colour schemes: open, filter, follow, compare, read."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from brokerage.services import set_site_status
from jobs.models import Job, JobOutput
from monitor.words import COLUMNS
from pandasite.base.clock import database_now
from pandasite.base.models import SweepRun
from tests.builders import (
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_pilot,
    create_site,
    local_storage,
)
from tests.monitor.browsing import Visit

# The number of running jobs in the row of all clouds.
RUNNING = f"tfoot td:nth-child({[key for key, _, _ in COLUMNS].index('running') + 2})"
# `violations()` looks at both; in the dark the system's choice is seen to be followed, too.
BOTH_SCHEMES = pytest.mark.parametrize(
    "scheme", [pytest.param("light", marks=pytest.mark.long), "dark"]
)


@pytest.fixture
def grid(site_url: str) -> Any:
    """A site with jobs in every state, one that is offline, and sweeps on time; the failed job."""
    now = database_now()
    for name in settings.EXPECTED_SWEEPS:
        SweepRun.objects.create(name=name, started_at=now, ended_at=now, last_ok_at=now)
    site = create_site("AGLT2", cloud=create_cloud("US"), releases=[("Atlas-14.5.0", "x86_64")])
    create_pilot(site, last_contact=now)
    off = create_site("LPC", cloud=create_cloud("FR"))
    set_site_status(off, "offline", author="alice", reason="power cut", now=now)
    for state in ("waiting", "assigned", "activated", "sent", "starting", "running", "holding",
                  "transferring", "finished", "cancelled"):  # fmt: skip
        create_job(state, site=None if state == "waiting" else site, at=now)
    dataset = create_dataset("mc09.evgen")
    file = create_file("EVNT.1", at=[local_storage(site)], dataset=dataset)
    failed = create_job(
        "failed", site=site, at=now, inputs=[file], outputs=["HIST.1"], dataset=dataset,
        exe_error_code=60010, exe_error_diag="signal 11",
    )  # fmt: skip
    JobOutput.objects.create(job=failed, attempt_nr=1, tail="event 1\nevent 2", at=now)
    return failed


@BOTH_SCHEMES
def test_a_shifter_goes_from_the_dashboard_to_the_cause_of_a_failure(
    visit: Visit, grid: Job
) -> None:
    page = visit.page
    # given the dashboard, which says at once what is wrong
    visit.see("/")
    assert "look at" in page.title()
    assert page.get_by_text("LPC is offline", exact=True).count() == 1
    assert page.get_by_text("set by alice: power cut").count() == 1
    assert page.evaluate("document.documentElement.dataset.bsTheme") == visit.scheme
    # when: follow the number of failed jobs at the site
    row = page.get_by_role("table", name="US").get_by_role("row", name="AGLT2")
    number = row.locator("td.failed a")
    assert number.inner_text() == str(Job.objects.filter(state="failed").count())
    number.click()
    # then: the list has them, with the meaning of the error
    assert page.title().startswith("failed jobs")
    assert page.locator("#count").inner_text() == "1"
    assert page.get_by_text("segmentation fault").count() == 1
    # and the job's page tells the rest
    page.get_by_role("link", name=str(grid.pk), exact=True).click()
    assert page.title().startswith(f"failed: job {grid.pk}")
    assert page.get_by_text("signal 11").count() >= 1
    assert "event 2" in page.get_by_role("region", name="End of the standard output").inner_text()


def test_no_page_breaks_a_serious_rule_of_accessibility(visit: Visit, grid: Job) -> None:
    running = Job.objects.get(state="running").pk
    for address in (
        "/", "/jobs/", f"/jobs/{grid.pk}/", f"/jobs/{running}/", "/sites/AGLT2/", "/sites/LPC/",
        "/datasets/mc09.evgen/",
    ):  # fmt: skip
        # when
        visit.see(address)
        # then
        assert visit.violations() == [], address


def test_no_page_is_wider_than_a_telephone(visit: Visit, grid: Job) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    for address in (
        "/", "/jobs/", f"/jobs/{grid.pk}/", "/sites/AGLT2/", "/datasets/mc09.evgen/", "/servers/",
        "/configuration/", "/logger/",
    ):  # fmt: skip
        visit.see(address)  # which holds that


def test_an_error_page_can_be_read_by_everybody(visit: Visit, grid: Job) -> None:
    # when
    visit.see("/jobs/?state=nonsense")
    # then
    assert visit.violations() == []
    assert visit.page.get_by_text("state=nonsense").count() == 1
    visit.complaints.clear()  # the browser notes the 400


def test_the_filters_make_a_short_address_and_the_right_list(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/jobs/")
    assert page.locator("#count").inner_text() == str(Job.objects.count())
    # when
    form = page.get_by_role("form", name="Filters")
    form.get_by_label("State").select_option("running")
    form.get_by_label("Site").fill("AGLT2")
    page.get_by_role("button", name="Show").click()
    # then
    assert page.url.endswith("/jobs/?state=running&site=AGLT2")
    assert page.locator("#count").inner_text() == "1"
    # and a filter can be taken away again
    page.get_by_role("link", name="state: running").click()
    assert page.url.endswith("/jobs/?site=AGLT2")


def test_the_dashboard_renews_itself_and_keeps_the_place(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/")
    running = page.get_by_role("table", name="Clouds").locator(RUNNING)
    assert running.inner_text() == "1"
    page.get_by_role("table", name="Clouds").get_by_role("link", name="FR").focus()
    # when
    create_job("running", site=grid.computing_site, at=database_now())
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#board', swap: 'outerHTML'})")
    page.wait_for_function(f"document.querySelector('{RUNNING}').innerText === '2'")
    # then
    assert page.evaluate("document.activeElement.textContent") == "FR"


def test_the_polling_can_be_paused(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/")
    page.get_by_role("button", name="Pause").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    # when
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#board', swap: 'outerHTML'})")
    page.wait_for_timeout(200)
    # then
    assert asked == []
    assert page.get_by_role("button", name="Go on").count() == 1


def test_the_theme_that_was_chosen_stays(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/")
    # when
    page.get_by_role("button", name="Theme: auto").click()
    visit.see("/jobs/")
    # then
    assert page.get_by_role("button", name="Theme: dark").count() == 1
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_everything_is_reached_by_the_keyboard(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/jobs/")
    # when
    page.keyboard.press("Tab")
    # then
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "goto"
    page.keyboard.type(str(grid.pk))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{grid.pk}/")


def test_what_is_readable_in_one_colour_scheme_only_is_found(visit: Visit) -> None:
    hidden = "p { color: #ddd; background: #fff }"
    style = f"body {{ background: #fff }} @media (prefers-color-scheme: dark) {{ {hidden} }}"
    page = f"<html lang=en><title>t</title><style>{style}</style><main><p>words</p></main>"
    visit.page.set_content(page)

    (found,) = visit.violations()

    assert found.startswith("dark: color-contrast")


def test_one_text_that_cannot_be_read_is_found_among_many_alike(visit: Visit) -> None:
    rows = "".join(f"<li><a href='#{n}'>row {n}</a></li>" for n in range(50))
    rows = rows.replace("<a href='#20'>", "<a href='#20' style='color: #ddd'>")
    rows = rows.replace("<li><a href='#30'>", "<li style='background: #336'><a href='#30'>")
    style = "body { background: #fff } a { color: #00c }"
    page = f"<html lang=en><title>t</title><style>{style}</style><main><ul>{rows}</ul></main>"
    visit.page.set_content(page)

    contrast = [words for words in visit.violations() if "color-contrast" in words]

    assert len(contrast) == 2  # in either scheme
    assert all("row 20" in words and "row 30" in words for words in contrast)
    assert "row 21" not in str(contrast)
