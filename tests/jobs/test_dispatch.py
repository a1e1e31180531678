"""A claim: the best job that fits every fact of the pilot."""

import pytest

from datasets.models import SiteStorage
from jobs import assign, fsck, lease
from jobs.models import Job
from jobs.states import JobState
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_job,
    create_pilot,
    create_pilot_account,
    create_site,
    create_storage,
    create_vo,
    install,
    local_storage,
)
from tests.jobs.asking import claim

pytestmark = pytest.mark.django_db


def activated(site, **columns):
    return create_job("activated", site=site, **columns)


# -- what is handed over -----------------------------------------------------------------------


def test_a_claimed_job_is_sent_in_a_new_attempt_under_a_lease(site, pilots):
    job = activated(site)

    claimed = claim(pilots, node="wn07")

    sent = Job.objects.get(pk=job.pk)
    assert claimed.job == sent
    assert (sent.state, sent.attempt_nr, sent.node) == ("sent", 1, "wn07")
    assert lease.matches(claimed.lease_token, sent.lease_sha256)
    assert sent.lease_until == after(minutes=30)
    assert fsck.check() == []


def test_a_claim_keeps_which_storage_the_pilot_was_told(site, pilots):
    job = activated(site)

    claim(pilots)
    told = local_storage(site)
    SiteStorage.objects.filter(site=site).update(storage=create_storage())

    assert Job.objects.get(pk=job.pk).storage == told != local_storage(site)


def test_a_claim_leaves_an_event_that_names_pilot_and_node(site, pilots):
    job = activated(site)

    claim(pilots, node="wn07", pilot_id="pilot9")

    event = job.events.last()
    assert (event.from_state, event.to_state, event.attempt_nr) == ("activated", "sent", 1)
    assert event.actor == "pilot pilot9"
    assert event.reason == {"node": "wn07", "pilot": "pilot9"}


def test_the_lease_token_is_stored_nowhere(site, pilots):
    activated(site)

    token = claim(pilots).lease_token

    assert len(token) == 64
    assert token not in str(list(Job.objects.values()))


def test_the_highest_priority_goes_first(site, pilots):
    activated(site, current_priority=100)
    urgent = activated(site, current_priority=900)

    assert claim(pilots).job == urgent


def test_of_equal_priority_the_lowest_panda_id_goes_first(site, pilots):
    first = activated(site, current_priority=100)
    activated(site, current_priority=100)

    assert claim(pilots).job == first


def test_a_job_that_does_not_fit_does_not_block_those_behind_it(site, pilots):
    activated(site, current_priority=900, min_ram_count=64000)
    fitting = activated(site, current_priority=100)

    assert claim(pilots).job == fitting


def test_every_job_is_handed_out_once(site, pilots):
    jobs = {activated(site).pk for _ in range(3)}

    claimed = [claim(pilots).job for _ in range(4)]

    assert {job.pk for job in claimed if job} == jobs
    assert claimed[3] is None


@pytest.mark.parametrize("state", [s for s in JobState if s != JobState.ACTIVATED])
def test_only_activated_jobs_are_handed_out(site, pilots, state):
    create_job(state, site=site)

    assert claim(pilots).reason == "no_job"


def test_a_job_of_another_site_is_not_handed_out(pilots):
    activated(create_site("MWT2_UC"))

    assert claim(pilots).job is None


# -- every fact counts -------------------------------------------------------------------------

NEEDS = [
    ({"min_ram_count": 2000}, {"memory_mb": 1999}, {"memory_mb": 2000}),
    ({"max_disk_count": 5000}, {"free_disk_mb": 4999}, {"free_disk_mb": 5000}),
    ({"min_cpu_speed": 2000}, {"cpu_speed_mhz": 1999}, {"cpu_speed_mhz": 2000}),
    ({"core_count": 4}, {"core_count": 3}, {"core_count": 4}),
    ({"prod_source_label": "user"}, {"labels": ("managed",)}, {"labels": ("managed", "user")}),
    (
        {"atlas_release": "Atlas-14.5.0"},
        {"releases": (("Atlas-14.2.0", "x86_64-slc5"),)},
        {"releases": (("Atlas-14.2.0", "x86_64-slc5"), ("Atlas-14.5.0", "x86_64-slc5"))},
    ),
    (
        {"atlas_release": "Atlas-14.5.0", "cmt_config": "i686-slc4"},
        {"releases": (("Atlas-14.5.0", "x86_64-slc5"), ("Atlas-14.2.0", "i686-slc4"))},
        {"releases": (("Atlas-14.5.0", "i686-slc4"),)},
    ),
    (
        {"cmt_config": "i686-slc4"},
        {"releases": (("Atlas-14.5.0", "x86_64-slc5"),)},
        {"releases": (("Atlas-14.5.0", "i686-slc4"),)},
    ),
]


@pytest.mark.parametrize(("need", "short", "enough"), NEEDS)
def test_a_pilot_gets_what_it_can_run_and_nothing_else(site, pilots, need, short, enough):
    install(site, "Atlas-14.5.0", "x86_64-slc5")
    job = activated(site, **need)

    assert claim(pilots, **short).reason == "no_job"
    assert claim(pilots, **enough).job == job


def test_a_job_without_needs_fits_a_pilot_that_knows_nothing_of_itself(site, pilots):
    job = activated(site)

    claimed = claim(pilots, cpu_speed_mhz=0, memory_mb=0, free_disk_mb=0, core_count=1, releases=())

    assert claimed.job == job


# Where brokerage does not ask the site for a release, the claim does not ask the pilot.


def test_an_install_job_goes_to_a_node_that_lacks_the_release_it_brings(site, pilots):
    install(site, "Atlas-14.2.0", "x86_64-slc5")
    job = activated(site, prod_source_label="install", atlas_release="Atlas-14.5.0")

    assert claim(pilots, labels=("install",), releases=()).job == job


def test_a_cloud_that_does_not_check_releases_does_not_ask_its_pilots_for_them():
    site = create_site(cloud=create_cloud("FR", releases_checked=False))
    install(site, "Atlas-14.2.0", "x86_64-slc5")
    job = activated(site, atlas_release="Atlas-14.5.0", cmt_config="x86_64-slc5")

    assert claim(create_pilot_account(site), releases=()).job == job


def test_a_site_that_declares_no_release_does_not_ask_its_pilots_for_one(site, pilots):
    job = activated(site, atlas_release="Atlas-14.5.0")
    install(create_site("MWT2_UC"), "Atlas-14.2.0", "x86_64-slc5")

    assert claim(pilots, releases=()).job == job


def test_reprocessing_is_asked_for_its_release_wherever_it_is():
    site = create_site(cloud=create_cloud("FR", releases_checked=False))
    pilots = create_pilot_account(site)
    job = activated(site, processing_type="reprocessing", atlas_release="Atlas-14.5.0")

    assert claim(pilots, releases=()).reason == "no_job"
    assert claim(pilots).job == job


def test_what_brokerage_let_through_without_its_release_is_claimed(site, pilots):
    create_pilot(site)
    job = create_job(atlas_release="Atlas-14.5.0")

    assign.run(NOW)

    assert claim(pilots, releases=()).job == job


def test_a_site_that_names_its_vos_runs_no_other(pilots, site):
    site.vos.add(create_vo("atlas"))
    activated(site, vo=create_vo("charmm"))
    ours = activated(site, vo=create_vo("atlas"))

    assert claim(pilots).job == ours
    assert claim(pilots).job is None


def test_a_site_that_names_no_vo_runs_all(pilots, site):
    chemistry = activated(site, vo=create_vo("charmm"))

    assert claim(pilots).job == chemistry


def test_a_killed_job_is_not_handed_out(site, pilots):
    activated(site, command="tobekilled", command_attempt=1)

    assert claim(pilots).job is None
