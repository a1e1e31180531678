"""The sweep that puts those jobs first whose turn it is."""

import pytest

from jobs import priority, services
from jobs.models import Job, LiveTally, PriorityLift, ShareTally, ShareUse, UsageQuota
from jobs.shares import act
from jobs.shares.tree import Node
from tests.builders import NOW, after, create_job, create_pilot_account, create_site
from tests.jobs.asking import claim
from tests.jobs.shares.load import Load, part, queue, shares

pytestmark = pytest.mark.django_db


def order(site):
    """PandaIDs as pilots of the site would be given them."""
    waiting = Job.objects.filter(state="activated", computing_site=site)
    return list(waiting.order_by("-current_priority", "pk").values_list("pk", flat=True))


def has_jobs(user, n):
    """The tally says that the user has so many."""
    LiveTally.objects.create(
        user=user, task_id=0, cloud_id=0, site_id=0, label="user", state="running", n=n, inputs=0,
        latest=NOW,
    )  # fmt: skip


# -- shares --------------------------------------------------------------------------------------


def test_two_groups_at_70_to_30_end_within_5_percent_under_full_load():
    shares(higgs=70, top=30)
    sites = [create_site(), create_site()]
    for site in sites:
        queue(site, 300, working_group="higgs")
        queue(site, 300, working_group="top")

    held = Load(sites, slots=25).run(25, counted_from=5)

    assert part(held, "higgs") == pytest.approx(70, abs=5)


def test_more_jobs_and_higher_priorities_get_a_group_no_more_than_its_share():
    shares(higgs=30, top=70)
    site = create_site()
    queue(site, 1500, working_group="higgs", current_priority=5000, assigned_priority=5000)
    queue(site, 300, working_group="top", current_priority=10)

    held = Load([site], slots=40).run(25, counted_from=5)

    assert part(held, "higgs") == pytest.approx(30, abs=5)


def test_what_an_empty_leaf_leaves_goes_to_its_siblings_and_not_to_others():
    shares(Node(name="physics", working_group="phys", percent=50), top=50)
    kinds = {"evgen": 20, "simul": 40, "reco": 40}
    shares(
        *(Node(name=kind, processing_type=kind, percent=p) for kind, p in kinds.items()),
        below="physics",
    )
    site = create_site()
    queue(site, 300, working_group="phys", processing_type="evgen")
    queue(site, 400, working_group="top")

    held = Load([site], slots=40).run(20, counted_from=5)

    assert part(held, "phys") == pytest.approx(50, abs=5), "evgen has what simul and reco leave"


def test_a_round_touches_the_heads_of_the_queues_only_and_a_second_one_nothing():
    shares(higgs=50, top=50)
    site = create_site()
    queue(site, 300, working_group="higgs", current_priority=900)
    queue(site, 300, working_group="top")

    first, second = act.run(NOW), act.run(NOW)

    assert 0 < first <= 20
    assert (second, PriorityLift.objects.count()) == (0, first)


def test_jobs_of_no_share_keep_their_priorities():
    shares(higgs=50, top=50)
    job = create_job("activated", working_group="other", current_priority=3)

    assert act.run(NOW) == 0
    assert Job.objects.get(pk=job.pk).current_priority == 3


def test_without_shares_and_quotas_production_goes_by_its_own_priorities():
    site = create_site()
    jobs = [create_job("activated", site=site, current_priority=p).pk for p in (5, 9, 7)]

    assert act.run(NOW) == 0
    assert order(site) == [jobs[1], jobs[2], jobs[0]]


def test_a_round_keeps_what_each_leaf_has_and_should_have():
    shares(higgs=75, top=25)
    for group in ("higgs", "top"):
        create_job("running", working_group=group, core_count=8)
        LiveTally.objects.create(
            user="u", working_group=group, task_id=0, cloud_id=0, site_id=0, label="managed",
            state="activated", n=100, inputs=0, latest=NOW,
        )  # fmt: skip

    act.run(NOW)
    act.run(after(minutes=1))

    found = {
        row.share.name: (row.used, row.target, row.waiting) for row in ShareTally.objects.all()
    }
    assert found == {"higgs": (8, 12, 100), "top": (8, 4, 100)}
    assert {use.share.name: use.core_s for use in ShareUse.objects.all()} == {
        "higgs": 480, "top": 480,
    }  # fmt: skip


# -- its own priority, and one that was set by hand ------------------------------------------------


def lifted_job(site):
    """A job of a group that is behind, lifted over those of another."""
    shares(higgs=50, top=50)
    queue(site, 30, working_group="higgs", current_priority=900)
    job = create_job("activated", site=site, working_group="top", current_priority=10)
    act.run(NOW)
    job.refresh_from_db()
    assert job.current_priority > 900
    return job


def test_a_job_that_a_pilot_takes_has_its_own_priority_again():
    site = create_site()
    job = lifted_job(site)

    claim(create_pilot_account(site), n_jobs=2)

    job.refresh_from_db()
    assert (job.state, job.current_priority, job.assigned_priority) == ("sent", 10, 0)
    assert act.run(NOW) >= 0
    assert not PriorityLift.objects.filter(pk=job.pk).exists()


def test_a_job_that_is_brokered_again_has_its_own_priority_again():
    job = lifted_job(create_site())

    services.rebroker(Job.objects.filter(pk=job.pk), actor="tests", now=NOW, reason={})

    job.refresh_from_db()
    assert (job.state, job.current_priority) == ("defined", 10)


@pytest.mark.parametrize("by_hand", [-7, 50_000])
def test_a_priority_set_by_hand_stays(by_hand):
    site = create_site()
    job = lifted_job(site)

    priority.set_priority(job.pk, by_hand, now=NOW)
    act.run(after(minutes=1))
    act.run(after(minutes=2))

    job.refresh_from_db()
    assert job.current_priority == by_hand
    assert order(site).index(job.pk) == (0 if by_hand > 0 else 30)


def test_when_a_share_is_gone_its_jobs_have_their_own_priorities_again():
    site = create_site()
    job = lifted_job(site)

    shares()
    act.run(after(minutes=1))

    job.refresh_from_db()
    assert job.current_priority == 10
    assert not PriorityLift.objects.exists()


# -- users -----------------------------------------------------------------------------------------


def users_job(site, user, **columns):
    return create_job(
        "activated", site=site, prod_source_label="user", prod_user_id=user, **columns
    )


def test_a_users_job_has_the_priority_of_the_formula():
    site = create_site()
    has_jobs("alice", 52)
    UsageQuota.objects.create(kind="group", name="higgs", cpu_hours=0, priority_offset=30)
    job = users_job(site, "alice", working_group="higgs")

    act.run(NOW)

    job.refresh_from_db()
    assert job.current_priority == 1000 + 30 - 10


def test_who_has_fewer_jobs_goes_first():
    site = create_site()
    has_jobs("many", 4000)
    many = [users_job(site, "many").pk for _ in range(3)]
    few = users_job(site, "few")

    act.run(NOW)

    assert order(site) == [few.pk, *many]


def test_a_heavy_user_stays_behind_however_many_jobs_lie_beyond_the_heads():
    site = create_site()
    has_jobs("many", 4000)
    queue(site, 100, prod_source_label="user", prod_user_id="many", current_priority=1000)
    few = users_job(site, "few", current_priority=0)

    act.run(NOW)

    assert order(site)[0] == few.pk
