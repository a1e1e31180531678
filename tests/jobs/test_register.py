"""Registration: outputs enter the catalogue once, travel home, and the job ends."""

from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Thread

import pytest
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext

from datasets import services as data
from datasets.models import DatasetFile, File, Replica, Subscription, Transfer
from jobs import fsck, register, services
from jobs.models import Job
from pandasite.base.rounds import Incomplete, Round
from tests.base.trouble import database_error
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    local_storage,
)

pytestmark = pytest.mark.django_db


def held(site, *lfns, verdict="finished", **columns):
    """A job whose pilot has reported these outputs, 10 bytes each."""
    job = create_job("holding", site=site, outputs=lfns, verdict=verdict, **columns)
    job.files.update(size=10, adler32=ADLER32, guid=GUID, events=5)
    return job


def fresh(job):
    return Job.objects.get(pk=job.pk)


# -- into the catalogue ------------------------------------------------------------------------


def test_outputs_enter_catalogue_dataset_and_replica_list():
    site, dataset = create_site("AGLT2"), create_dataset("mc09.HIST")
    job = held(site, "HIST.1", dataset=dataset)

    assert register.run(after(minutes=1)) == 1

    file = File.objects.get(lfn="HIST.1")
    assert (file.scope, file.guid, file.size, file.adler32, file.events) == (
        "mc09", GUID, 10, ADLER32, 5,
    )  # fmt: skip
    assert list(dataset.files.all()) == [file]
    assert file.replicas.get().storage == local_storage(site)
    assert (job.files.get().file, job.files.get().status) == (file, "ready")
    assert fresh(job).state == "finished"
    assert fsck.check() == []


def test_outputs_are_registered_where_the_pilot_was_told_to_write():
    site, told = create_site(), create_storage("OLD_DISK")
    job = held(site, "HIST.1", storage=told)  # the site has another one by now
    job.files.create(type="log", scope="log", lfn="log.1", size=7, adler32=ADLER32, guid=GUID)

    register.run(NOW)

    assert {replica.storage for replica in Replica.objects.all()} == {told}
    assert fresh(job).state == "finished"


def test_outputs_of_a_site_that_lost_its_storage_are_registered_where_they_are():
    told = create_storage()
    job = held(create_site(with_storage=False), "HIST.1", storage=told)

    register.run(NOW)

    assert (fresh(job).state, Replica.objects.get().storage) == ("finished", told)


def test_registering_twice_is_registering_once():
    job = held(create_site(), "HIST.1", dataset=create_dataset())
    register.run(NOW)

    assert register.run(NOW) == 0
    assert register.register(job.pk, now=NOW) is False
    assert (File.objects.count(), Replica.objects.count(), DatasetFile.objects.count()) == (1, 1, 1)


def test_a_job_without_outputs_is_finished_as_it_is():
    job = held(create_site(), destination_se=create_storage("BNL_DISK"))

    register.run(NOW)

    assert fresh(job).state == "finished"


def test_a_failed_job_registers_its_log_and_nothing_else():
    site = create_site()
    job = held(site, "HIST.1", verdict="failed", exe_error_code=60000, max_attempt=1)
    job.files.create(type="log", scope="log", lfn="log.1", size=7, adler32=ADLER32, guid=GUID)

    register.run(NOW)

    assert fresh(job).state == "failed"
    assert [file.lfn for file in File.objects.all()] == ["log.1"]
    assert job.files.get(type="output").status == "failed"


def test_the_errors_that_the_pilot_named_are_in_the_last_event():
    job = held(create_site(), verdict="failed", exe_error_code=60000, exe_error_diag="signal 11")

    register.run(NOW)

    assert job.events.last().reason == {"errors": [["exe", 60000, "signal 11"]]}


def test_a_job_that_holds_without_a_final_word_is_left_to_the_watchdog():
    job = held(create_site(), verdict="")

    assert register.run(NOW) == 0
    assert fresh(job).state == "holding"


# -- what goes wrong with one job --------------------------------------------------------------


def test_an_output_whose_name_belongs_to_other_content_fails_the_job():
    site = create_site()
    create_file("HIST.1", size=999)
    job = held(site, "HIST.0", "HIST.1")

    register.run(NOW)

    assert fresh(job).state == "failed"
    assert fresh(job).errors()[0][:2] == ("ddm", 200)
    assert "999 bytes" in fresh(job).ddm_error_diag
    assert not File.objects.filter(lfn="HIST.0").exists()  # all of it or none
    assert {f.status for f in job.files.all()} == {"failed"}
    assert not Job.objects.filter(retry_of=job.pk).exists()  # its output would meet the same name


@pytest.mark.parametrize(
    ("verdict", "error"), [("finished", None), ("failed", ("exe", 60000, "signal 11"))]
)
def test_a_log_whose_name_is_taken_does_not_change_the_end_of_the_job(verdict, error):
    create_file("log.1", scope="log", size=999)
    job = held(
        create_site(), "HIST.1", verdict=verdict, max_attempt=1,
        exe_error_code=60000 if error else 0, exe_error_diag="signal 11" if error else "",
    )  # fmt: skip
    job.files.create(type="log", scope="log", lfn="log.1", size=7, adler32=ADLER32, guid=GUID)

    register.run(NOW)

    assert fresh(job).state == verdict
    assert fresh(job).errors() == ([error] if error else [])
    assert job.files.get(type="log").status == "failed"


def test_one_bad_job_does_not_stop_the_others():
    site = create_site()
    create_file("HIST.1", size=999)
    bad, good = held(site, "HIST.1"), held(site, "HIST.2")

    assert register.run(NOW) == 2
    assert (fresh(bad).state, fresh(good).state) == ("failed", "finished")


def test_a_job_at_a_site_that_lost_its_storage_waits_and_does_not_stop_the_others():
    poor, rich = create_site(with_storage=False), create_site()
    waiting, good = held(poor, "HIST.1"), held(rich, "HIST.2")

    assert register.run(NOW) == 1
    assert (fresh(waiting).state, fresh(good).state) == ("holding", "finished")

    create_storage(sites=[poor])
    register.run(NOW)
    assert fresh(waiting).state == "finished"


def test_many_jobs_that_cannot_be_registered_do_not_hide_the_others(monkeypatch):
    monkeypatch.setattr(register, "BATCH", 2)
    poor, rich = create_site(with_storage=False), create_site()
    for n in range(5):
        held(poor, f"HIST.{n}")
    home, dataset = create_storage(), create_dataset("d" * 255)  # no block can be named after it
    taken = [held(rich, f"HIST.1{n}", destination_se=home, dataset=dataset) for n in range(3)]
    good = held(rich, "HIST.8")

    assert register.run(NOW) == 1

    assert fresh(good).state == "finished"
    assert {fresh(job).state for job in taken} == {"holding"}


def test_a_job_that_another_one_holds_is_named_and_left(monkeypatch):
    site = create_site()
    first, second = held(site, "HIST.1"), held(site, "HIST.2")
    all_must_move = services.all_must_move

    def locked(panda_ids, *args, **kwargs):
        if first.pk in panda_ids:
            raise database_error("40P01")
        all_must_move(panda_ids, *args, **kwargs)

    monkeypatch.setattr(services, "all_must_move", locked)

    with pytest.raises(Incomplete, match=f"job {first.pk}: it was in a deadlock") as left:
        register.run(NOW)

    assert left.value.rows == 1
    assert (fresh(first).state, fresh(second).state) == ("holding", "finished")
    assert not File.objects.filter(lfn="HIST.1").exists()


def test_a_round_that_took_too_long_leaves_the_rest_to_the_next(monkeypatch):
    held(create_site(), "HIST.1")
    monkeypatch.setattr(Round, "over", True)

    assert register.run(NOW) == 0


def test_what_came_after_the_round_began_waits_for_the_next():
    job = held(create_site(), "HIST.1")

    assert register.run(after(seconds=-1)) == 0
    assert register.run(NOW) == 1
    assert fresh(job).end_time == NOW


def test_a_name_that_the_database_cannot_take_does_not_stop_the_others():
    site = create_site()
    good = held(site, "HIST.2", destination_se=create_storage())
    bad = held(site, "HIST.1", destination_se=create_storage(), dataset=create_dataset("d" * 255))
    last = held(site, "HIST.3")

    register.run(NOW)

    assert [fresh(j).state for j in (good, bad, last)] == ["transferring", "holding", "finished"]


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


# -- home --------------------------------------------------------------------------------------


def test_outputs_whose_home_is_elsewhere_travel_in_a_sub_block():
    site, home, dataset = create_site(), create_storage("BNL_DISK"), create_dataset("mc09.HIST")
    job = held(site, "HIST.1", "HIST.2", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert fresh(job).state == "transferring"
    block = dataset.subs.get()
    assert (block.name, block.type, block.state) == ("mc09.HIST_sub01", "sub", "open")
    assert (block.source, block.destination) == (local_storage(site), home)
    assert {f.lfn for f in block.files.all()} == {"HIST.1", "HIST.2"}
    assert {(f.block, f.status) for f in job.files.all()} == {(block, "transferring")}
    assert {t.file.lfn for t in Transfer.objects.filter(destination=home)} == {"HIST.1", "HIST.2"}


def test_jobs_of_one_dataset_share_the_block_of_their_way():
    site, home, dataset = create_site(), create_storage(), create_dataset()
    for lfn in ("HIST.1", "HIST.2"):
        held(site, lfn, destination_se=home, dataset=dataset)

    register.run(NOW)

    assert dataset.subs.get().files.count() == 2


def test_another_source_or_home_gets_a_block_of_its_own():
    sites, homes, dataset = (
        [create_site() for _ in range(2)],
        [create_storage() for _ in range(2)],
        create_dataset("mc09.HIST"),
    )
    for i, (site, home) in enumerate([(s, h) for s in sites for h in homes]):
        held(site, f"HIST.{i}", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert sorted(sub.name for sub in dataset.subs.all()) == [
        f"mc09.HIST_sub0{n}" for n in (1, 2, 3, 4)
    ]


def test_a_block_that_is_closing_takes_no_new_files():
    site, home, dataset = create_site(), create_storage(), create_dataset("mc09.HIST")
    closing = create_dataset(
        "mc09.HIST_sub01", type="sub", state="tobeclosed", parent=dataset,
        source=local_storage(site), destination=home,
    )  # fmt: skip
    held(site, "HIST.1", destination_se=home, dataset=dataset)

    register.run(NOW)

    assert not closing.files.exists()
    assert dataset.subs.get(state="open").name == "mc09.HIST_sub02"


def test_a_name_that_looks_like_a_block_is_stepped_over():
    create_dataset("mc09.HIST_sub01")
    job = held(
        create_site(),
        "HIST.1",
        destination_se=create_storage(),
        dataset=create_dataset("mc09.HIST"),
    )

    register.run(NOW)

    assert job.files.get().block.name == "mc09.HIST_sub02"


def test_an_output_without_a_dataset_travels_in_a_block_of_its_job():
    job = held(create_site(), "HIST.1", destination_se=create_storage())

    register.run(NOW)

    assert job.files.get().block.name == f"panda.output.{job.pk}_sub01"


def test_analysis_output_stays_where_it_was_made():
    job = held(create_site(), "HIST.1", destination_se=create_storage(), prod_source_label="user")

    register.run(NOW)

    assert fresh(job).state == "finished"


def test_output_that_is_made_at_home_does_not_travel():
    site = create_site()
    job = held(site, "HIST.1", destination_se=local_storage(site))

    register.run(NOW)

    assert fresh(job).state == "finished"
    assert not Subscription.objects.exists()


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
