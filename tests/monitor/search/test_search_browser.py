"""Quick search in a real browser: from the box on any page to the thing itself."""

from __future__ import annotations

import pytest

from jobs.models import Job
from tests.builders import create_cloud, create_dataset, create_file, create_job, create_site
from tests.monitor.browsing import Visit


@pytest.fixture
def job(site_url: str) -> Job:
    """One of some jobs whose names begin alike, with a file in a dataset."""
    site = create_site("AGLT2", cloud=create_cloud("US"))
    for i in range(12):
        create_job("running", site=site, job_name=f"evgen.105001._{i:04d}")
    file = create_file("evgen.105001.EVNT", dataset=create_dataset("evgen.105001.data"))
    return create_job("failed", site=site, job_name="evgen.105002", inputs=[file])


def test_the_box_leads_from_the_beginning_of_a_name_to_the_thing(visit: Visit, job: Job) -> None:
    page = visit.page
    # given
    visit.see("/jobs/")
    # when
    page.keyboard.press("/")
    page.keyboard.type("evgen.10500")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=evgen.10500")
    # then: a few of each kind, and a way to all
    assert page.get_by_role("table", name="Datasets").get_by_role("row").count() == 2
    jobs = page.get_by_role("table", name="Jobs", exact=True)
    assert jobs.get_by_role("row").count() == 9
    page.get_by_role("link", name="All of these").click()
    beginning = Job.objects.filter(job_name__startswith="evgen.10500").count()
    jobs = page.get_by_role("table", name="Jobs", exact=True)
    assert jobs.get_by_role("row").count() == 1 + beginning
    # and the whole name leads straight to the job
    box = page.get_by_label("Search", exact=True)
    assert box.input_value() == "evgen.10500"
    box.fill("evgen.105002")
    box.press("Enter")
    page.wait_for_url(f"**/jobs/{job.pk}/")


def test_its_pages_break_no_serious_rule_of_accessibility(visit: Visit, job: Job) -> None:
    for address in (
        "/search", "/search?q=evgen", "/search?q=evgen&group=jobs", "/search?q=nothing",
    ):  # fmt: skip
        visit.see(address)
        assert visit.violations() == [], address
