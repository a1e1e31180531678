"""A claim that gets no job is told why, and every claim is a sign of life."""

import pytest

from brokerage.models import BannedNode, Downtime
from jobs.models import Pilot
from tests.builders import (
    NOW,
    after,
    create_downtime,
    create_job,
    create_pilot_account,
    create_site,
)
from tests.jobs.asking import claim

pytestmark = pytest.mark.django_db


def activated(site, **columns):
    return create_job("activated", site=site, **columns)


# -- no, and why -------------------------------------------------------------------------------


def test_an_empty_queue_says_so_and_when_to_ask_again(pilots):
    claimed = claim(pilots)

    assert (claimed.job, claimed.reason) == (None, "no_job")
    assert "AGLT2" in claimed.message
    assert 48 <= claimed.retry_after <= 72


def test_idle_pilots_do_not_all_come_back_in_the_same_second(pilots):
    waits = {claim(pilots).retry_after for _ in range(40)}

    assert len(waits) > 5


def test_a_site_that_is_offline_hands_out_nothing_and_says_why(site, pilots):
    activated(site)
    type(site).objects.filter(pk=site.pk).update(status="offline", status_reason="power cut")
    site.refresh_from_db()
    pilots.site = site

    claimed = claim(pilots)

    assert (claimed.job, claimed.reason) == (None, "site_offline")
    assert claimed.message == "AGLT2 is offline: power cut"


@pytest.mark.parametrize("status", ["brokeroff", "test"])
def test_a_site_that_gets_no_new_jobs_still_runs_those_it_has(status):
    site = create_site(status=status)
    job = activated(site)

    assert claim(create_pilot_account(site)).job == job


def test_a_site_in_an_outage_hands_out_nothing_until_that_ends_by_itself(site, pilots):
    job = activated(site)
    outage = create_downtime(site, description="new cooling")

    refused = claim(pilots)

    assert (refused.job, refused.reason) == (None, "site_downtime")
    assert refused.message == f"AGLT2 is in downtime {outage.words}"
    assert outage.words == "until 2009-09-17 13:00 UTC: new cooling"
    Downtime.objects.update(start=after(hours=-1), end=NOW)
    assert claim(pilots).job == job


@pytest.mark.parametrize(
    ("away", "fields"),
    [("a warning", {"severity": "warning"}), ("yet to come", {"start": after(seconds=1)})],
    ids=["warning", "to-come"],
)
def test_a_downtime_that_is_no_outage_of_now_keeps_no_job_back(site, pilots, away, fields):
    job = activated(site)
    create_downtime(site, **fields)

    assert claim(pilots).job == job, away


def test_a_banned_node_gets_nothing_and_is_told_why(site, pilots):
    job = activated(site)
    BannedNode.objects.create(site=site, node="wn13", reason="black hole", at=NOW)

    refused = claim(pilots, node="wn13")

    assert (refused.job, refused.reason) == (None, "node_banned")
    assert "black hole" in refused.message
    assert claim(pilots, node="wn14").job == job


def test_a_node_gets_jobs_again_when_its_ban_is_over(site, pilots):
    job = activated(site)
    ban = BannedNode.objects.create(
        site=site, node="wn13", reason="disk", at=NOW, until=after(seconds=1)
    )
    assert claim(pilots, node="wn13").reason == "node_banned"

    BannedNode.objects.filter(pk=ban.pk).update(until=NOW)

    assert claim(pilots, node="wn13").job == job


def test_a_node_is_banned_at_its_site_only(site, pilots):
    job = activated(site)
    BannedNode.objects.create(site=create_site(), node="wn13", reason="black hole", at=NOW)

    assert claim(pilots, node="wn13").job == job


# -- the pilot is seen -------------------------------------------------------------------------


def test_a_claim_is_a_contact_whether_there_is_a_job_or_not(site, pilots):
    claim(pilots, pilot_id="p1", node="wn01", memory_mb=2000)
    activated(site)
    claim(pilots, pilot_id="p1", node="wn01", memory_mb=3000, now=after(minutes=5))

    pilot = Pilot.objects.get()
    assert (pilot.site, pilot.pilot_id, pilot.node) == (site, "p1", "wn01")
    assert (pilot.claims, pilot.jobs, pilot.memory_mb) == (2, 1, 3000)
    assert (pilot.first_contact, pilot.last_contact) == (NOW, after(minutes=5))


def test_pilots_of_a_site_that_is_offline_are_still_seen(site, pilots):
    pilots.site.status = "offline"

    claim(pilots)

    assert Pilot.objects.filter(site=site).exists()
