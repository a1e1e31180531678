"""The facts of a round: what the queue and the pilots of a site are counted as."""

import pytest

from brokerage.models import BannedNode
from jobs import facts
from jobs.states import LEASED
from tests.builders import NOW, after, create_downtime, create_job, create_pilot, create_site

pytestmark = pytest.mark.django_db


def offer_of(site):
    return facts.gather(NOW).grid.offers[site.name]


def test_a_node_reports_when_its_pilot_sent_a_heartbeat_within_the_evidence_time():
    site = create_site()
    create_pilot(site, node="wn01", last_report=after(hours=-3))
    create_pilot(site, node="wn01", last_report=NOW)
    create_pilot(site, node="wn02", last_report=after(hours=-4))

    assert (offer_of(site).pilots_recent, offer_of(site).updating_nodes) == (2, 1)


def test_a_node_that_once_had_a_job_and_only_asks_for_work_does_not_report():
    site = create_site()
    create_pilot(site, jobs=7)

    assert (offer_of(site).pilots_recent, offer_of(site).updating_nodes) == (1, 0)


def test_a_site_says_until_when_its_longest_outage_goes_on_and_nothing_of_warnings():
    site, warned = create_site(), create_site()
    create_downtime(site, end=after(hours=2), description="power")
    create_downtime(site, description="cooling")
    create_downtime(site, start=after(hours=1), end=after(hours=5), description="to come")
    create_downtime(warned, severity="warning")

    assert offer_of(site).downtime == "until 2009-09-17 14:00 UTC: power"
    assert offer_of(warned).downtime == ""


def test_a_banned_node_is_no_evidence_that_pilots_take_jobs_there():
    site = create_site()
    create_pilot(site, node="wn01", last_report=NOW)
    create_pilot(site, node="wn02", last_report=NOW)
    create_pilot(create_site(), node="wn02", last_report=NOW)
    BannedNode.objects.create(site=site, node="wn02", reason="black hole", at=NOW)

    assert (offer_of(site).pilots_recent, offer_of(site).updating_nodes) == (1, 1)


def test_only_jobs_in_the_state_running_count_as_running():
    site = create_site()
    for state in LEASED:
        create_job(state, site=site)

    assert offer_of(site).running == 1


def test_assigned_and_activated_jobs_are_the_queue():
    site = create_site()
    create_job("assigned", site=site)
    for _ in range(2):
        create_job("activated", site=site)

    assert (offer_of(site).assigned, offer_of(site).activated) == (1, 2)
