"""Job list, job page and what-if in a real browser: open, filter, follow, act, compare."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from jobs import counts
from jobs.models import AnyJob, Job, JobOutput
from monitor import tally
from pandasite.base.clock import database_now
from pandasite.base.models import AuditLine
from tests.builders import create_cloud, create_job, create_pilot, create_site
from tests.monitor.browsing import Visit


@pytest.fixture
def grid(site_url: str) -> Any:
    """Jobs at two sites, some of which failed; one waits for memory that no pilot has."""
    now = database_now()
    site = create_site("AGLT2", cloud=create_cloud("US"))
    other = create_site("LPC", cloud=create_cloud("FR"))
    create_pilot(site, last_contact=now, memory_mb=2000)
    for n in range(4):
        create_job("failed", site=site, at=now, pilot_error_code=1099, node=f"wn{n}")
        create_job("finished", site=other, at=now, processing_type="reco")
    create_job("activated", site=site, at=now, min_ram_count=4000)
    running = create_job("running", site=site, at=now)
    JobOutput.objects.create(job=running, attempt_nr=1, tail="event 1\n" * 200, at=now)
    with connection.cursor() as cursor:
        for minutes in range(5):
            cursor.execute(
                "INSERT INTO jobs_sample VALUES (%s, 1, %s + %s * interval '1 minute', %s, %s)",
                [running.pk, now, minutes, 50 * minutes, 500 + minutes],
            )
    counts.fold()
    tally.run(now)
    return running


def log_in(visit: Visit) -> None:
    """As somebody who may do everything."""
    user = get_user_model().objects.create_superuser("olga", password="o0oo0oO0o")
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    value = client.cookies[name].value
    visit.page.context.add_cookies(
        [{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"}]
    )


def test_a_box_narrows_the_list_to_the_number_that_it_says(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/jobs/")
    box = page.get_by_role("region", name="Error")
    assert box.locator(".n").inner_text() == str(AnyJob.objects.filter(state="failed").count())
    # when
    box.get_by_role("link", name="pilot:1099").click()
    # then
    assert "error=pilot%3A1099" in page.url
    assert page.locator("#count").inner_text() == "4"
    page.get_by_text("The same for all:").wait_for()
    assert "Site AGLT2" in page.locator(".shared").inner_text()
    assert visit.violations() == []


def test_columns_are_chosen_on_the_page_and_stand_in_the_address(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/jobs/?state=failed")
    page.get_by_text("Columns: what they mean").click()
    # when
    for title in ("Job", "User", "Created"):
        page.get_by_role("checkbox", name=title, exact=True).uncheck()
    page.get_by_role("checkbox", name="Node", exact=True).check()
    page.get_by_role("button", name="Show these").click()
    # then
    heads = page.get_by_role("table", name="Jobs").locator("thead th").all_inner_texts()
    assert "Node" in heads and "Created" not in heads
    assert "state=failed" in page.url


def test_ticked_jobs_are_killed_after_a_count_and_a_reason(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    log_in(visit)
    visit.see("/jobs/?state=activated,running")
    assert page.get_by_role("button", name="Kill…").is_disabled()
    page.get_by_label("Tick all on this page").check()
    assert page.locator("#ticked").inner_text() == "2 ticked:"
    assert visit.violations() == []
    # when
    page.get_by_role("button", name="Kill…").click()
    # then: nothing has happened yet
    page.get_by_text("Kill: 2 of 2 jobs").wait_for()
    assert page.get_by_text("1 job: is cancelled at once").count() == 1
    assert visit.violations() == []
    assert not AuditLine.objects.exists()
    # and with a reason it does
    page.get_by_label("Reason").fill("wrong geometry")
    page.get_by_role("button", name="Kill 2 jobs").click()
    page.get_by_text("Kill: done for 2 of 2 jobs").wait_for()
    assert Job.objects.filter(state="cancelled").count() == 1
    assert AuditLine.objects.filter(actor_name="olga", reason="wrong geometry").count() == 2


def test_a_search_is_saved_and_opened_again(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    log_in(visit)
    visit.see("/jobs/?state=failed&site=AGLT2")
    page.get_by_text("Saved views").click()
    # when
    page.get_by_label("Name of this search").fill("my failures")
    page.get_by_role("button", name="Save view").click()
    # then
    page.get_by_text("Saved views (1)").click()
    assert page.get_by_role("link", name="my failures").count() == 1
    visit.see("/jobs/views/")
    assert visit.violations() == []
    page.get_by_role("link", name="my failures").click()
    assert page.locator("#count").inner_text() == "4"


def test_a_job_that_waits_says_why_and_what_would_do(visit: Visit, grid: Job) -> None:
    page = visit.page
    job = Job.objects.get(state="activated")
    # when
    visit.see(f"/jobs/{job.pk}/")
    table = page.get_by_role("table", name="What must be so")
    table.wait_for()
    # then
    row = table.get_by_role("row", name="memory")
    assert "needs 4,000 MB of memory" in row.inner_text()
    assert "ask for at most 2,000 MB" in row.inner_text()
    assert visit.violations() == []
    # and it stays when the page renews itself
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#board', swap: 'outerHTML'})")
    page.wait_for_timeout(500)
    assert table.count() == 1


def test_a_running_job_draws_its_samples_and_follows_its_output(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see(f"/jobs/{grid.pk}/")
    page.locator('figure[data-drawn="lines"]').nth(1).wait_for()
    tail = page.locator("#tail")
    assert tail.evaluate("e => e.scrollTop + e.clientHeight >= e.scrollHeight - 2")
    assert visit.violations() == []
    # when
    JobOutput.objects.filter(job=grid).update(tail="event 2\n" * 300)
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#board', swap: 'outerHTML'})")
    page.wait_for_function("document.getElementById('tail').innerText.includes('event 2')")
    # then
    assert tail.evaluate("e => e.scrollTop + e.clientHeight >= e.scrollHeight - 2")
    assert page.locator('figure[data-drawn="lines"] canvas').count() == 2, "the plots stay"


def test_a_failure_is_compared_with_others_like_it(visit: Visit, grid: Job) -> None:
    page = visit.page
    job = AnyJob.objects.filter(state="failed").first()
    assert job is not None
    # when
    visit.see(f"/jobs/{job.pk}/")
    table = page.get_by_role("table", name="Sites with pilot:1099")
    table.wait_for()
    # then
    assert table.get_by_role("link", name="4").count() == 1
    assert page.get_by_text("At this site alone.").count() == 1
    assert visit.violations() == []


def test_what_if_answers_with_a_mark_for_each_rule(visit: Visit, grid: Job) -> None:
    page = visit.page
    # given
    visit.see("/what-if/")
    assert visit.violations() == []
    # when
    page.get_by_label("Cores").fill("99")
    page.get_by_role("button", name="Ask").click()
    # then
    row = page.get_by_role("table", name="Sites and rules").get_by_role("row", name="AGLT2")
    assert "needs 99 cores, site offers 1" in row.inner_text()
    assert visit.violations() == []


def test_the_list_fits_a_small_screen(visit: Visit, grid: Job) -> None:
    # given
    visit.page.set_viewport_size({"width": 1024, "height": 768})
    # then
    for address in ("/jobs/", f"/jobs/{grid.pk}/", "/what-if/?memory=9000"):
        visit.see(address)
        visit.page.wait_for_timeout(200)
        width = "document.documentElement.scrollWidth <= window.innerWidth"
        assert visit.page.evaluate(width), address
