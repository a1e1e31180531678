"""Registration of many jobs at once, and by many at the same time."""

from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Thread

import pytest
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext

from datasets import services as data
from datasets.models import Subscription, Transfer
from jobs import fsck, register
from jobs.models import Job
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    create_dataset,
    create_file,
    create_site,
    create_storage,
)
from tests.jobs.test_register import fresh, held

pytestmark = pytest.mark.django_db


# -- many at once ------------------------------------------------------------------------------


def statements(n):
    """How many statements a round of `n` jobs takes: logs, outputs, some failed, some to travel."""
    site, home, dataset = create_site(), create_storage(), create_dataset()
    for i in range(n):
        job = held(
            site, f"{dataset.name}.{i}", dataset=dataset,
            verdict="failed" if i % 4 == 1 else "finished",
            exe_error_code=60000 if i % 4 == 1 else 0, destination_se=home if i % 4 == 2 else None,
        )  # fmt: skip
        job.files.create(
            type="log", scope="log", lfn=f"log.{job.pk}", size=7, adler32=ADLER32, guid=GUID
        )
    with CaptureQueriesContext(connection) as seen:
        assert register.run(NOW) == n
    return len(seen)


def test_many_jobs_take_as_many_statements_as_few():
    # successors are born one by one
    assert statements(20) - statements(4) <= 4
    assert fsck.check() == []


def test_jobs_that_failed_end_each_with_its_own_errors_and_successor():
    site = create_site()
    jobs = [held(site, f"H.{code}", verdict="failed", exe_error_code=code) for code in (60, 61)]

    register.run(NOW)

    for job, code in zip(jobs, (60, 61), strict=True):
        assert job.events.last().reason == {"errors": [["exe", code, ""]]}
        successor = Job.objects.get(retry_of=job.pk)
        assert [f.lfn for f in successor.files.all()] == [f"H.{code}"]


def test_one_that_is_in_the_way_of_many_is_found_by_halves(caplog):
    site, home = create_site(), create_storage()
    good = [held(site, f"HIST.{n}") for n in range(15)]
    long = create_dataset("d" * 255)  # no block can be named after it
    bad = held(site, "HIST.x", destination_se=home, dataset=long)
    more = [held(site, f"HIST.{n}") for n in range(15, 30)]

    with caplog.at_level("INFO"):
        assert register.run(NOW) == 30

    assert {fresh(job).state for job in good + more} == {"finished"}
    assert fresh(bad).state == "holding"
    assert len([r for r in caplog.records if r.msg == "by_halves"]) <= 5


def test_a_block_that_grows_is_asked_for_only_what_is_new():
    site, home, dataset = create_site(), create_storage(), create_dataset()
    held(site, "HIST.1", destination_se=home, dataset=dataset)
    register.run(NOW)
    Transfer.objects.update(state="failed", ended_at=NOW)
    held(site, "HIST.2", destination_se=home, dataset=dataset)

    register.run(NOW)

    queued = Transfer.objects.filter(state="queued")
    assert [transfer.file.lfn for transfer in queued] == ["HIST.2"]


def test_a_block_that_was_whole_is_open_again_with_one_file_more():
    site, home, dataset = create_site(), create_storage(), create_dataset()
    held(site, "HIST.1", destination_se=home, dataset=dataset)
    register.run(NOW)
    Subscription.objects.update(state="done", done_at=NOW)
    held(site, "HIST.2", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert Subscription.objects.get().state == "open"


def test_a_file_that_is_home_already_needs_no_transfer():
    site, home, dataset = create_site(), create_storage(), create_dataset()
    create_file("HIST.1", at=[home], size=10)
    held(site, "HIST.1", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert (Subscription.objects.get().state, Transfer.objects.count()) == ("done", 0)


# -- at the same time --------------------------------------------------------------------------


def at_once(monkeypatch, panda_ids):
    """Register the jobs at once, each waiting for the other before it makes its first block."""
    meet, new_dataset, problems = Barrier(len(panda_ids)), data.new_dataset, []

    def together(*args, **kwargs):
        made = new_dataset(*args, **kwargs)
        with suppress(BrokenBarrierError):
            meet.wait(1)  # breaks when the other one has to wait for a lock: as it should
        return made

    def work(panda_id):
        try:
            register.register(panda_id, now=NOW)
        except OperationalError as error:
            problems.append(str(error))
        finally:
            connections.close_all()

    monkeypatch.setattr(data, "new_dataset", together)
    workers = [Thread(target=work, args=[panda_id]) for panda_id in panda_ids]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    return problems


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["same order", "other order"])
def test_jobs_with_the_same_datasets_in_any_order_do_not_block_each_other(monkeypatch, order):
    site, home = create_site(), create_storage()
    datasets = [create_dataset("mc09.HIST"), create_dataset("mc09.AOD")]
    jobs = [held(site, f"{n}.1", f"{n}.2", destination_se=home) for n in "AB"]
    for job, places in zip(jobs, [(0, 1), order], strict=True):
        for row, place in zip(job.files.order_by("pk"), places, strict=True):
            job.files.filter(pk=row.pk).update(dataset=datasets[place])

    assert at_once(monkeypatch, [job.pk for job in jobs]) == []

    assert [fresh(job).state for job in jobs] == ["transferring", "transferring"]
    assert [dataset.subs.get().files.count() for dataset in datasets] == [2, 2]
