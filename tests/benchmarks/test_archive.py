"""The history that the pages are measured over is such as the product leaves."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from benchmarks import archive, pages, traffic
from benchmarks.figures import monitor
from benchmarks.grid import Grid, make_grid
from datasets.models import DatasetFile
from jobs import counts, usage
from jobs.models import AnyJob, AnyJobEvent, AnyJobFile, Job
from pandasite.base.clock import database_now
from tests.builders import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def grid() -> Grid:
    """As many sites as the addresses ask for."""
    return make_grid(40, cap=0, now=NOW)


def test_the_counts_of_a_filled_archive_agree(grid: Grid):
    archive.add_live(100, grid)
    archive.add_ended(60, grid, weeks=range(1, 4))
    archive.add_up(database_now())

    assert counts.differences() == []
    assert usage.differences() == []
    assert Job.objects.count() == 100
    assert AnyJob.objects.count() == 280


def test_every_week_has_its_jobs_with_a_file_and_two_events_each(grid: Grid):
    archive.add_ended(20, grid, weeks=range(1, 3))
    archive.add_ended(20, grid, weeks=range(3, 4))

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM jobs_endedjob GROUP BY tableoid")
        assert cursor.fetchall() == [(20,)] * 3
    for job in AnyJob.objects.all():
        assert job.creation_time < job.start_time < job.end_time < database_now()
        assert [event.to_state for event in job.events.order_by("seq")] == ["activated", job.state]
        assert job.files.count() == 1
    assert AnyJobFile.objects.count() == 60
    assert AnyJobEvent.objects.count() == 120


@pytest.mark.parametrize("of_each", [1, pytest.param(None, marks=pytest.mark.long)])
def test_every_address_that_is_measured_is_a_page(grid: Grid, client: Client, of_each: int | None):
    archive.add_datasets(80)
    traffic.add(grid, links=20)
    archive.add_live(200, grid)
    archive.add_ended(60, grid, weeks=range(1, 2))
    archive.add_up(database_now())

    assert DatasetFile.objects.count() == 82  # and two blocks
    for page in pages.PAGES:
        if page.figure in monitor.names():
            for address in page.addresses()[:of_each]:
                if "page=" not in address:  # so few rows have no other page
                    assert client.get(address).status_code in (200, 302), address


def test_a_page_that_does_not_exist_has_no_figure():
    nowhere = pages.Page(figure="page_moon", limit_ms=1, name="monitor:moon")

    assert not pages.is_there(nowhere)
    assert "page_jobs" in monitor.names()
