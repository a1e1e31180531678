"""Claims know what the tables of sites, clouds, storage, releases, VOs and bans say by now."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from brokerage.models import BannedNode, Cloud, Downtime, InstalledRelease, Site
from datasets.models import SiteStorage, StorageElement
from jobs import fsck
from jobs.models import PilotAccount, SiteFact
from tests.builders import (
    NOW,
    create_cloud,
    create_downtime,
    create_job,
    create_site,
    create_storage,
    create_vo,
    install,
    local_storage,
)
from tests.jobs.asking import claim
from tests.jobs.waiting import until_it_waits

pytestmark = pytest.mark.django_db
Change = Callable[[Site], object]
RELEASE = ("Atlas-99.0.0", "x86_64-slc5")  # which no pilot here has


def outcome(pilots: PilotAccount) -> str:
    """What a claim comes to: where the files of its job lie, or why there is none."""
    claimed = claim(pilots)
    if not claimed.jobs:
        return claimed.reason
    storage = claimed.jobs[0]["storage"]
    return f"{storage['name']} {storage['url']}" if storage else "nowhere"


def ban(site: Site, node: str = "wn01") -> BannedNode:
    return BannedNode.objects.create(site=site, node=node, reason="black hole", at=NOW)


def elsewhere(site: Site) -> None:
    """Its jobs read from another storage element."""
    SiteStorage.objects.update(storage=create_storage("OTHER", url="file:///other"))


CHANGES: dict[str, tuple[Change, Change, str, str]] = {
    # what is there before, the change, and what claims come to before and after it
    "status": (str, lambda s: Site.objects.update(status="offline"), "HERE /", "site_offline"),
    "cap": (str, lambda s: Site.objects.update(job_cap=1), "HERE /", "site_full"),
    "cloud": (
        lambda s: install(s, "Atlas-14.5.0", "x86_64-slc5"),
        lambda s: Cloud.objects.update(releases_checked=False),
        "no_job",
        "HERE /",
    ),
    "other-cloud": (
        lambda s: install(s, "Atlas-14.5.0", "x86_64-slc5"),
        lambda s: Site.objects.update(cloud=create_cloud("NG", releases_checked=False)),
        "no_job",
        "HERE /",
    ),
    "first-release": (str, lambda s: install(s, *RELEASE), "HERE /", "no_job"),
    "last-release-gone": (
        lambda s: install(s, *RELEASE),
        lambda s: InstalledRelease.objects.all().delete(),
        "no_job",
        "HERE /",
    ),
    "other-vo": (str, lambda s: s.vos.set([create_vo("cms")]), "HERE /", "no_job"),
    "any-vo": (
        lambda s: s.vos.set([create_vo("cms")]),
        lambda s: s.vos.clear(),
        "no_job",
        "HERE /",
    ),
    "ban": (str, ban, "HERE /", "node_banned"),
    "ban-gone": (ban, lambda s: BannedNode.objects.all().delete(), "node_banned", "HERE /"),
    "ban-moved": (
        lambda s: ban(s, "wn02"),
        lambda s: BannedNode.objects.update(node="wn01"),
        "HERE /",
        "node_banned",
    ),
    "outage": (str, create_downtime, "HERE /", "site_downtime"),
    "outage-gone": (
        create_downtime,
        lambda s: Downtime.objects.all().delete(),
        "site_downtime",
        "HERE /",
    ),
    "outage-weaker": (
        create_downtime,
        lambda s: Downtime.objects.update(severity="warning"),
        "site_downtime",
        "HERE /",
    ),
    "storage-name": (str, lambda s: StorageElement.objects.update(name="SE"), "HERE /", "SE /"),
    "storage-url": (
        str,
        lambda s: StorageElement.objects.update(url="file:///new"),
        "HERE /",
        "HERE /new",
    ),
    "other-storage": (str, elsewhere, "HERE /", "OTHER /other"),
    "only-read": (str, lambda s: SiteStorage.objects.update(role="read"), "HERE /", "nowhere"),
    "no-storage": (str, lambda s: SiteStorage.objects.all().delete(), "HERE /", "nowhere"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_next_claim_knows_of_a_change(site: Site, pilots: PilotAccount, name: str) -> None:
    # given
    given, change, before, after = CHANGES[name]
    StorageElement.objects.update(name="HERE", url="file:///")
    for _ in range(2):
        create_job("activated", site=site, vo=create_vo(), atlas_release=RELEASE[0])
    given(site)
    assert outcome(pilots) == before.replace(" /", " file:///")

    # when
    change(site)

    # then
    assert outcome(pilots) == after.replace(" /", " file:///")
    assert fsck.check() == []


def test_many_rows_at_once_are_each_heard_of(site: Site) -> None:
    other = create_site(with_storage=False)

    BannedNode.objects.bulk_create(
        BannedNode(site=at, node=node, reason="r", at=NOW)
        for at in (site, other)
        for node in ("wn01", "wn02")
    )
    Site.objects.update(job_cap=7)

    facts = SiteFact.objects.in_bulk([site.pk, other.pk])
    assert [(f.banned, f.job_cap) for f in facts.values()] == [(["wn01", "wn02"], 7)] * 2
    assert fsck.check() == []


def test_a_site_takes_its_facts_with_it() -> None:
    site = create_site(with_storage=False)
    assert SiteFact.objects.filter(pk=site.pk).exists()

    site.delete()

    assert not SiteFact.objects.filter(pk=site.pk).exists()


def test_differences_are_found_and_repaired(site: Site) -> None:
    forgotten = create_site()
    SiteFact.objects.filter(pk=forgotten.pk).delete()
    SiteFact.objects.update(offline=True, vos=[4711])
    gone = SiteFact.objects.create(site_id=10**6, offline=False, job_cap=0, any_release=True)

    found = fsck.check()
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_facts_repair()")

    assert found == [
        f"site {site.pk}: the facts that claims find are not those of its tables in offline, vos",
        f"claims find no facts of site {forgotten.pk}",
        f"claims find facts of site {gone.pk}, which does not exist",
    ]
    assert fsck.check() == []


def tie(cloud: Cloud) -> None:
    create_site("TIED", cloud=cloud, with_storage=False)


def move_storage(storage: StorageElement) -> None:
    create_site("READER", with_storage=False)
    SiteStorage.objects.create(site=Site.objects.get(name="READER"), storage=storage)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda s: install(s, *RELEASE), ban),
        (ban, lambda s: s.vos.set([create_vo()])),
        (lambda s: Cloud.objects.update(releases_checked=False), lambda s: tie(s.cloud)),
        (lambda s: tie(s.cloud), lambda s: Cloud.objects.update(releases_checked=False)),
        (
            lambda s: StorageElement.objects.update(url="file:///new"),
            lambda s: move_storage(local_storage(s)),
        ),
        (
            lambda s: move_storage(local_storage(s)),
            lambda s: StorageElement.objects.update(url="file:///new"),
        ),
    ],
    ids=["release-ban", "ban-vo", "cloud-site", "site-cloud", "storage-tie", "tie-storage"],
)
def test_of_two_that_change_something_at_once_the_later_knows_of_the_earlier(
    first: Change, second: Change
) -> None:
    # given
    site, _vo = create_site(), create_vo()

    def by_another() -> None:
        try:
            with transaction.atomic():
                second(Site.objects.get(pk=site.pk))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other:
        # when
        with transaction.atomic():
            first(site)
            changing = other.submit(by_another)
            until_it_waits(changing)
        changing.result(timeout=60)

    # then
    assert fsck.check() == []
