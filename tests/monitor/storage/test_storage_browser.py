"""The page of a storage element in a real browser."""

from __future__ import annotations

import datetime as dt

import pytest

from datasets import health
from datasets.models import Link, Transfer
from pandasite.base.clock import database_now
from tests.builders import create_file, create_site, create_storage, create_transfer, local_storage
from tests.monitor.browsing import Visit


@pytest.fixture
def failing(transactional_db: None) -> None:
    """A storage element of which there is everything to say, and one of which there is nothing."""
    disk, other = local_storage(create_site("AGLT2")), create_storage("BNL_DISK")
    now = database_now()
    health.note_answer(disk, error="", seconds=0.2, now=now - dt.timedelta(hours=1))
    health.note_answer(disk, error="cannot write: timed out", seconds=None, now=now)
    for ends in ({"source": other, "destination": disk}, {"source": disk, "destination": other}):
        Link.objects.create(**ends, success=0.75, bytes_per_second=3e7, measured_at=now)
    for nr in range(3):
        create_transfer(
            create_file(f"EVNT._{nr:05d}.root"), disk, created_at=now, next_try_at=now,
            error="BNL_DISK: cannot write at davs://se.example.org/atlas: timed out: no answer",
        )  # fmt: skip
    Transfer.objects.update(reason="timed out", attempts=2)


def test_nobody_is_kept_out_of_the_page(visit: Visit, failing: None) -> None:
    for name in ("AGLT2_DISK", "BNL_DISK"):
        visit.see(f"/storage/{name}/")
        assert visit.violations() == [], name
    visit.page.set_viewport_size({"width": 1024, "height": 768})
    visit.see("/storage/AGLT2_DISK/")


def test_a_link_leads_to_the_other_end(visit: Visit, failing: None) -> None:
    visit.see("/storage/AGLT2_DISK/")
    visit.page.get_by_role("link", name="BNL_DISK").first.click()
    visit.page.wait_for_url("**/storage/BNL_DISK/")
