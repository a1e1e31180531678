"""Which kinds of jobs queue at a site, how many a claim may take, and how many pilots may hold."""

import re

import pytest
from django.db import connection

from brokerage.models import Site
from jobs import counts, errors, fsck, queue, services
from jobs.models import Job, QueueKind
from pandasite.base.sqlfile import sql_file
from tests.builders import NOW, after, create_job, create_site
from tests.jobs.asking import claim

pytestmark = pytest.mark.django_db
LOST = errors.LOST_HEARTBEAT.said("its pilot is gone")


def kinds(site):
    return QueueKind.objects.filter(site_id=site.pk).count()


# -- kinds of requirements ---------------------------------------------------------------------


def test_jobs_with_the_same_needs_are_of_one_kind(site):
    for memory in (1000, 1000, 2000):
        create_job("activated", site=site, min_ram_count=memory)

    assert kinds(site) == 2


@pytest.mark.parametrize(
    "needs",
    [
        {"prod_source_label": "user"}, {"processing_type": "reprocessing"},
        {"atlas_release": "Atlas-14.5.0"}, {"cmt_config": "i686-slc4"}, {"min_ram_count": 1},
        {"max_disk_count": 1}, {"min_cpu_speed": 1}, {"core_count": 2},
    ],
)  # fmt: skip
def test_every_need_makes_a_kind(site, needs):
    create_job("activated", site=site)
    create_job("activated", site=site, **needs)

    assert kinds(site) == 2


def test_a_job_has_a_kind_from_the_moment_it_is_activated(site):
    job = create_job("assigned", site=site, min_ram_count=1500)
    assert kinds(site) == 0

    services.activate([job.pk], now=NOW)

    assert QueueKind.objects.get().min_ram_count == 1500


def test_a_kind_without_jobs_is_forgotten_and_another_is_kept(site, pilots):
    create_job("activated", site=site, current_priority=9, min_ram_count=1000)
    left = create_job("activated", site=site)
    claim(pilots)

    assert queue.forget_kinds() == 1
    assert claim(pilots).job == left


def test_a_kind_that_was_forgotten_comes_back_with_its_job(site, pilots):
    job = create_job("activated", site=site)
    claim(pilots)
    queue.forget_kinds()

    services.requeue(Job.objects.filter(pk=job.pk), error=LOST, actor="tests", now=NOW)

    assert claim(pilots).job == job


def test_fsck_finds_a_queued_job_that_no_claim_can_see(site):
    job = create_job("activated", site=site)
    QueueKind.objects.all().delete()

    assert fsck.check() == [f"job {job.pk} is activated, but its kind is not known at its site"]


def test_jobs_that_do_not_fit_are_not_looked_at(site, pilots):
    for _ in range(60):
        create_job("activated", site=site, current_priority=900, min_ram_count=64000)
    fitting = create_job("activated", site=site)

    assert claim(pilots).job == fitting


def test_over_all_kinds_the_highest_priority_goes_first(site, pilots):
    jobs = [
        create_job("activated", site=site, current_priority=p, min_ram_count=p % 3)
        for p in (5, 1, 4, 2, 3)
    ]

    taken = [claim(pilots).job for _ in jobs]

    assert [job.current_priority for job in taken] == [5, 4, 3, 2, 1]


# -- some at once ------------------------------------------------------------------------------


def test_a_claim_may_take_some_jobs_each_under_a_lease_of_its_own(site, pilots):
    jobs = [create_job("activated", site=site, current_priority=p).pk for p in (3, 2, 1)]

    claimed = claim(pilots, n_jobs=2)

    assert [job["panda_id"] for job in claimed.jobs] == jobs[:2]
    assert len({job["lease_token"] for job in claimed.jobs}) == 2
    assert list(Job.objects.order_by("pk").values_list("state", flat=True)) == [
        "sent", "sent", "activated",
    ]  # fmt: skip
    assert fsck.check() == []


def test_a_claim_takes_what_there_is(site, pilots):
    create_job("activated", site=site)

    assert len(claim(pilots, n_jobs=100).jobs) == 1


def test_some_jobs_are_found_behind_a_head_that_does_not_fit(site, pilots):
    first = create_job("activated", site=site, current_priority=950)
    for _ in range(40):
        create_job("activated", site=site, current_priority=900, min_ram_count=64000)
    rest = [
        create_job("activated", site=site, current_priority=p, min_ram_count=p) for p in (3, 2, 1)
    ]

    claimed = claim(pilots, n_jobs=4)

    assert [job["panda_id"] for job in claimed.jobs] == [job.pk for job in [first, *rest]]


def test_some_jobs_of_which_none_fits_are_none(site, pilots):
    create_job("activated", site=site, min_ram_count=64000)

    assert (claim(pilots, n_jobs=5).jobs, claim(pilots, n_jobs=5).reason) == ((), "no_job")


def test_some_jobs_are_given_again_with_their_leases(site, pilots):
    for _ in range(3):
        create_job("activated", site=site)
    first = claim(pilots, key="k", n_jobs=3)

    again = claim(pilots, key="k", n_jobs=3)

    assert again.replayed
    assert [told(job) for job in again.jobs] == [told(job) for job in first.jobs]


def test_of_some_jobs_those_that_moved_on_are_not_given_again(site, pilots):
    first = create_job("activated", site=site, current_priority=9)
    second = create_job("activated", site=site)
    claim(pilots, key="k", n_jobs=2)
    services.requeue(Job.objects.filter(pk=first.pk), error=LOST, actor="tests", now=NOW)

    again = claim(pilots, key="k", n_jobs=2)

    assert [job["panda_id"] for job in again.jobs] == [second.pk]


def told(job):
    return job["panda_id"], job["lease_token"]


# -- no more than the site may have ------------------------------------------------------------


def test_a_site_with_a_cap_hands_out_no_more(site, pilots):
    Site.objects.update(job_cap=2)
    for _ in range(3):
        create_job("activated", site=site)

    claimed = [claim(pilots, n_jobs=5), claim(pilots)]

    assert len(claimed[0].jobs) == 2
    assert (claimed[1].jobs, claimed[1].reason) == ((), "site_full")
    assert claimed[1].message == "AGLT2 has as many jobs with pilots as it may have: 2"


def test_a_job_that_ends_makes_room_under_the_cap(site, pilots):
    Site.objects.update(job_cap=1)
    running = create_job("running", site=site)
    job = create_job("activated", site=site)
    assert claim(pilots).reason == "site_full"

    services.cancel_killed(Job.objects.filter(pk=running.pk), actor="tests", now=NOW, why="over")

    assert claim(pilots).job == job


def test_the_jobs_of_other_sites_do_not_count_for_the_cap(site, pilots):
    Site.objects.update(job_cap=1)
    create_job("running", site=create_site())
    job = create_job("activated", site=site)

    assert claim(pilots).job == job


# -- what was answered -------------------------------------------------------------------------


def test_answers_are_counted_by_site_and_outcome(site, pilots):
    for _ in range(3):
        create_job("activated", site=site)
    claim(pilots, n_jobs=2)
    claim(pilots)
    claim(pilots)
    counts.fold()
    claim(pilots)

    assert counts.answers(since=after(hours=-3)) == {(site.pk, "job"): 3, (site.pk, "no_job"): 2}
    assert counts.answers(since=after(hours=1)) == {}


def test_the_queues_index_serves_the_claim(site):
    create_job("activated", site=site)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN " + QUEUE_HEAD, [site.pk])
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "job_queue" in plan
    assert "Sort" not in plan


QUEUE_HEAD = """
SELECT panda_id FROM jobs_job WHERE state = 'activated' AND computing_site_id = %s
  AND jobs_requirement(prod_source_label, vo_id, processing_type, atlas_release, cmt_config,
    min_ram_count, max_disk_count, min_cpu_speed, core_count) = 7
ORDER BY current_priority DESC, panda_id LIMIT 1
"""


def test_a_cap_that_was_taken_away_for_a_while_counts_anew(site, pilots):
    for _ in range(4):
        create_job("activated", site=site)
    Site.objects.update(job_cap=2)
    claim(pilots)
    Site.objects.update(job_cap=0)
    claim(pilots)
    Site.objects.update(job_cap=2)

    assert claim(pilots).reason == "site_full"


@pytest.mark.parametrize(("cap", "more"), [(3, 2), (2, 1), (1, 0)])
def test_another_cap_holds_from_the_next_claim_on(site, pilots, cap, more):
    for _ in range(5):
        create_job("activated", site=site)
    Site.objects.update(job_cap=5)
    claim(pilots)

    Site.objects.update(job_cap=cap)

    assert len(claim(pilots, n_jobs=5).jobs) == more


def test_behind_a_head_that_does_not_fit_the_highest_priority_goes_first(site, pilots):
    for _ in range(30):
        create_job("activated", site=site, current_priority=900, core_count=64)
    jobs = [
        create_job("activated", site=site, current_priority=p, min_ram_count=p) for p in (1, 3, 2)
    ]

    taken = [claim(pilots).job for _ in jobs]

    assert [job.current_priority for job in taken] == [3, 2, 1]


@pytest.mark.parametrize(("file", "table"), [("claims", "jobs_job"), ("claim", "jobs_queuekind")])
def test_the_rule_of_what_fits_is_part_of_the_claims_plans(site, file, table):
    rule = re.search(r"AND (jobs_fits\([^()]*\))", sql_file("jobs", file))[1]
    for nr, name in enumerate(PILOTS_WORDS, start=1):
        rule = re.sub(rf"\b{name}\b", f"${nr}", rule)
    rule = re.sub(r"\b[hk]\.", "", rule)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        types = ", ".join(PILOTS_WORDS.values())
        cursor.execute(f"PREPARE fitting ({types}) AS SELECT FROM {table} WHERE {rule}")
        cursor.execute(f"EXPLAIN EXECUTE fitting ({', '.join(['NULL'] * len(PILOTS_WORDS))})")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("DEALLOCATE fitting")

    assert "jobs_fits" not in plan
    assert "min_ram_count <= $" in plan


PILOTS_WORDS = {  # of which a claim knows whether a job fits, with their types
    r"(asked|p_ask)\.labels": "text[]", r"[cf]\.vos": "bigint[]",
    r"(asked|p_ask)\.releases": "text[]", "p_install": "text[]", r"[cf]\.any_release": "bool",
    "p_reprocessing": "text[]", r"(asked|p_ask)\.memory_mb": "int",
    r"(asked|p_ask)\.free_disk_mb": "int", r"(asked|p_ask)\.cpu_speed_mhz": "int",
    r"(asked|p_ask)\.core_count": "int",
}  # fmt: skip
