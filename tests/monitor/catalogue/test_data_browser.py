"""The dataset browser and the DDM dashboard in a real browser, in both colour schemes."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from datasets import flowsums, services, sums
from datasets.models import Dataset, StorageElement, Subscription
from datasets.subscriptions import subscribe
from pandasite.base.clock import database_now
from tests.builders import create_dataset, create_file, create_job
from tests.monitor.browsing import Visit
from tests.monitor.catalogue.histograms import HISTOGRAM, npz, stored
from tests.monitor.ddm.grid import links

PICTURES = os.environ.get("TEST_PICTURES", "")  # a folder to look at the pages in
ADDRESSES = (
    "/ddm/", "/ddm/?by=storage&window=7d", "/ddm/errors/", "/ddm/stuck/?hours=0", "/ddm/space/",
    "/datasets/", "/datasets/?category=mc&storage=BNL_DISK", "/new-datasets/",
    "/aborted-datasets/", "/aods/", "/subscriptions/", "/open-blocks/", "/ddm-requests/",
    "/ddm-requests/new/", "/datasets/mc09.1.py.merge.AOD.r1/", "/datasets/result/",
    "/files/mc09/E1/", "/files/mc09/HIST._1.npz/",
)  # fmt: skip


@pytest.fixture
def data(site_url: str, tmp_path: Path) -> dict[str, StorageElement]:
    """Transfers, datasets of which one is on its way, aborted ones, a block and a histogram."""
    now = database_now()
    made = links(now)
    aod = create_dataset("mc09.1.py.merge.AOD.r1", created_at=now, metadata={"campaign": "mc09a"})
    create_file("E1", dataset=aod, at=[made["BNL"]], events=10)
    create_file("E2", dataset=aod, at=[made["BNL"], made["LPC"]])
    subscribe(aod, made["LPC"], activity="production", now=now)
    block = create_dataset(
        "panda.x_dis1", type="dispatch", state="frozen", destination=made["LPC"],
        state_changed_at=now - dt.timedelta(hours=3),
    )  # fmt: skip
    create_file("E3", dataset=block, at=[made["BNL"]])
    create_job("assigned", inputs=aod.files.all(), dataset=aod, dispatch_d_block=block.name)
    stored(tmp_path, "HIST._1.npz", npz(HISTOGRAM))
    gone = create_dataset("mc09.2", created_at=now)
    services.abort_datasets([gone.pk], reason="bad tag", now=now)
    StorageElement.objects.filter(name__contains="_").update(
        capacity_bytes=10**13, free_bytes=3 * 10**12, measured_at=now
    )
    for hour in (3, 2, 1, 0):
        flowsums.sample_space(now - dt.timedelta(hours=hour))
    flowsums.run(now)
    sums.run(now)
    return made


def picture(visit: Visit, address: str) -> None:
    if PICTURES:
        name = address.strip("/").replace("/", "_").replace("?", "-").replace("&", "-")
        path = Path(PICTURES, f"{name}-{visit.scheme}.png")
        visit.page.screenshot(path=path, full_page=True)


def test_nobody_is_kept_out_of_these_pages(visit: Visit, data: dict[str, StorageElement]) -> None:
    for address in ADDRESSES:
        visit.see(address)
        expect(visit.page.locator("figure.plot:not([data-drawn])")).to_have_count(0)
        picture(visit, address)
        assert visit.violations() == [], address


def test_a_shifter_is_led_from_a_cloud_to_the_file_that_fails(
    visit: Visit, data: dict[str, StorageElement]
) -> None:
    page = visit.page
    # given
    visit.see("/ddm/")
    # when
    page.get_by_role("table", name="From and to").get_by_role("link", name="12 %").first.click()
    page.wait_for_url("**by=site*")
    page.get_by_role("table", name="From and to").get_by_role("link", name="12 %").first.click()
    page.wait_for_url("**by=storage*")
    page.get_by_role("table", name="From and to").get_by_role("link", name="12 %").first.click()
    page.wait_for_url("**/ddm/errors/**")
    # then
    expect(page.locator("main table").first).to_contain_text("no space left on device, file 1")


def test_an_operator_asks_for_a_dataset_and_sees_it_in_the_list(
    visit: Visit, data: dict[str, StorageElement]
) -> None:
    page = visit.page
    # given
    user = get_user_model().objects.create_user("olga", password="o0oo0oO0o")
    user.user_permissions.add(Permission.objects.get(codename="add_subscription"))
    page.goto("/login/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill("o0oo0oO0o")
    page.locator("main").get_by_role("button", name="Log in").click()
    # when
    visit.see("/datasets/mc09.1.py.merge.AOD.r1/")
    page.get_by_role("link", name="Ask that it be brought").click()
    expect(page.get_by_label("Datasets", exact=True)).to_have_value("mc09.1.py.merge.AOD.r1")
    page.get_by_label("Storage element").fill("AGLT2_DISK")
    page.get_by_label("Reason").fill("for the workshop")
    assert visit.violations() == []
    page.get_by_role("button", name="Ask for them").click()
    # then
    expect(page.locator("main")).to_contain_text("Asked for 1 dataset at AGLT2_DISK")
    wish = Subscription.objects.get(storage__name="AGLT2_DISK")
    assert wish.dataset == Dataset.objects.get(name="mc09.1.py.merge.AOD.r1")
    visit.see("/ddm-requests/")
    expect(page.locator("main table").first).to_contain_text("for the workshop")
    assert visit.violations() == []
