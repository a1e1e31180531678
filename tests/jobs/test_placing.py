"""The choices of a page are written together: rows are shared and statements few."""

from threading import Barrier, Thread

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from datasets.models import Dataset, DatasetFile, Subscription, Transfer
from jobs import assign, fsck, placing
from jobs.models import BrokerageDecision, Job, JobEvent
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_storage,
    install,
    local_storage,
    manned_site,
)

pytestmark = pytest.mark.django_db


def fresh(job):
    return Job.objects.get(pk=job.pk)


# -- decisions ---------------------------------------------------------------------------------


def test_bunches_that_are_told_the_same_share_a_decision():
    manned_site(memory_mb=1000)
    jobs = [create_job(min_ram_count=2000, prod_d_block=f"block{n}") for n in range(3)]
    other = create_job(min_ram_count=3000)

    assign.run(NOW)

    (shared,) = {fresh(job).decision for job in jobs}
    assert (shared.n_jobs, fresh(other).decision.n_jobs) == (3, 1)
    assert fresh(other).decision.detail["verdicts"][0]["reason"].startswith("needs 3000 MB")


def test_of_a_bunch_only_those_who_were_not_told_yet_get_a_decision():
    manned_site(memory_mb=1000)
    early = create_job(min_ram_count=2000)
    assign.run(NOW)
    late = create_job(min_ram_count=2000)

    assign.run(after(minutes=1))

    assert fresh(early).decision_id < fresh(late).decision_id
    assert [d.n_jobs for d in BrokerageDecision.objects.order_by("pk")] == [1, 1]
    assert fresh(early).considered_at == fresh(late).considered_at == after(minutes=1)


def test_each_placed_bunch_has_the_decision_with_its_own_numbers():
    manned_site("A"), manned_site("B")
    first = create_job("defined", prod_d_block="block1")
    second = create_job("defined", prod_d_block="block2")

    assign.run(NOW)

    assert [fresh(job).decision.site for job in (first, second)] == ["A", "B"]
    assert fresh(second).decision.detail["verdicts"][1]["weight"] == 1


# -- blocks ------------------------------------------------------------------------------------


def test_a_file_that_two_bunches_lack_is_in_both_blocks_and_travels_once():
    site, file = manned_site(), create_file(at=[create_storage()])
    for n in range(2):
        create_job("defined", inputs=[file], prod_d_block=f"mc09.{n}.EVNT.tid1")

    assert assign.run(NOW) == 2

    assert Dataset.objects.filter(type="dispatch", state="frozen").count() == 2
    assert DatasetFile.objects.filter(file=file).count() == 2
    assert {s.storage for s in Subscription.objects.filter(state="open")} == {local_storage(site)}
    assert Transfer.objects.get().destination == local_storage(site)
    assert fsck.check() == []


def test_what_travels_for_a_block_is_on_the_errand_of_its_jobs():
    manned_site()
    labels = {"analysis": "user", "production": "managed"}
    for label in labels.values():
        file = create_file(at=[create_storage()])
        create_job("defined", inputs=[file], prod_source_label=label)

    assign.run(NOW)

    errands = Transfer.objects.values_list("activity", "vo")
    assert sorted(errands) == [(activity, "atlas") for activity in labels]
    assert set(Subscription.objects.values_list("activity", "vo")) == set(errands)


def test_a_transfer_that_is_under_way_already_is_not_asked_for_again():
    site, file = manned_site(), create_file(at=[create_storage()])
    Transfer.objects.create(
        file=file, destination=local_storage(site), created_at=NOW, next_try_at=NOW
    )
    create_job("defined", inputs=[file])

    assign.run(NOW)

    assert Transfer.objects.count() == 1
    assert Subscription.objects.count() == 1


def test_an_input_that_travels_knows_its_block():
    manned_site()
    job = create_job("defined", inputs=[create_file(at=[create_storage()])])

    assign.run(NOW)

    assert job.files.get().block == Dataset.objects.get(name=fresh(job).dispatch_d_block)


# -- statements --------------------------------------------------------------------------------


def statements_of_a_round(now):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assign.run(now)
    return len(asked)


def test_a_round_with_ten_bunches_takes_as_many_statements_as_one_with_two():
    install(manned_site(memory_mb=1000), "Atlas-14.5.0", "x86_64-slc5")
    far = create_storage()

    def bunches(n):
        for k in range(n):
            create_job("defined", inputs=[create_file(at=[far])], prod_d_block=f"block{k}")
            create_job("defined", min_ram_count=2000 + k)

    bunches(2)
    few = statements_of_a_round(after(minutes=1))
    bunches(10)

    assert statements_of_a_round(after(minutes=2)) == few
    assert Job.objects.filter(state="assigned").count() == 12


# -- twice at once -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_rounds_that_decided_the_same_jobs_place_each_of_them_once(monkeypatch):
    manned_site("A"), manned_site("B")
    far = create_storage()
    shared = [create_file(at=[far]) for _ in range(3)]
    jobs = [create_job("defined", inputs=shared, prod_d_block=f"block{n}") for n in range(6)]
    write, both_decided, moved = placing.write, Barrier(2, timeout=60), []

    def together(decided, facts, now):
        both_decided.wait()
        return write(decided, facts, now)

    def broker():
        moved.append(assign.run(NOW))
        connections.close_all()

    monkeypatch.setattr(placing, "write", together)
    rounds = [Thread(target=broker) for _ in range(2)]
    for thread in rounds:
        thread.start()
    for thread in rounds:
        thread.join(60)

    assert sum(moved) == len(jobs)
    assert JobEvent.objects.filter(to_state="assigned").count() == len(jobs)
    assert Transfer.objects.count() == len(set(Transfer.objects.values_list("file", "destination")))
    assert fsck.check() == []
