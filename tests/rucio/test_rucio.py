"""Rucio as the data management system of a VO: a real server, and a copy by hand for FTS."""

from __future__ import annotations

import pytest

from datasets import services as data
from datasets.ddm import sync
from datasets.models import Replica, Subscription, Transfer
from datasets.storage.base import path_of
from datasets.subscriptions import Terms, cancel, extend, set_priority, subscribe
from jobs import activate, arrival, assign, register
from jobs.models import Job
from tests.builders import GUID, NOW, after, create_dataset, create_job
from tests.rucio.sites import fresh, wish

pytestmark = [pytest.mark.rucio, pytest.mark.django_db]
PRODUCTION = "production"


def state_of(job: Job) -> str:
    return str(Job.objects.values_list("state", flat=True).get(pk=job.pk))


def holding(sites, lfn, *, dataset, **columns) -> Job:
    """A job of the near site whose pilot has stored this output and reported it."""
    facts = sites.store(sites.near, lfn, lfn.encode())
    job = create_job(
        "holding", site=sites.site, outputs=[lfn], dataset=dataset, verdict="finished", **columns
    )
    job.files.update(guid=GUID, events=5, **facts)
    return job


def test_a_job_is_activated_when_rucio_says_that_its_input_is_there_and_not_before(sites):
    file = sites.file()
    job = create_job("defined", inputs=[file])
    assign.run(NOW)

    sync.run(NOW)

    block = Subscription.objects.get()
    rule = sites.rule(block.reference)
    assert (rule["state"], rule["rse_expression"]) == ("REPLICATING", "NEAR-DISK")
    assert Transfer.objects.get().carrier == "ddm"
    activate.run(NOW)
    sync.run(NOW)
    activate.run(NOW)
    assert state_of(job) == "assigned"

    sites.bring(file, sites.near)
    activate.run(NOW)
    assert state_of(job) == "assigned"  # Rucio knows it, and we have not asked yet
    sync.run(after(minutes=1))
    activate.run(after(minutes=1))

    assert sites.rule(block.reference)["state"] == "OK"
    assert state_of(job) == "activated"
    assert Replica.objects.filter(file=file, storage=sites.near, state="available").exists()
    assert (fresh(block).state, Transfer.objects.get().state) == ("done", "done")


def test_a_block_that_has_served_leaves_no_rule(sites):
    file = sites.file()
    create_job("defined", inputs=[file])
    assign.run(NOW)
    sync.run(NOW)
    block = Subscription.objects.get()
    reference = block.reference
    sites.bring(file, sites.near)
    sync.run(after(minutes=1))
    assert sites.rule(reference)["expires_at"] is None
    data.set_dataset_state(block.dataset, "erased", now=NOW)

    sync.run(after(minutes=2))

    assert sites.rule(reference)["expires_at"] is not None


def test_our_paths_are_rucios(sites):
    file = sites.file()
    made = wish(sites, file)
    sync.run(NOW)

    said = sites.server.call("GET", f"/replicas/mc09/{file.lfn}").json()

    assert fresh(made).reference
    (pfn,) = said["rses"]["FAR-DISK"]
    assert pfn.endswith(f"{sites.folders['FAR-DISK']}/{path_of('mc09', file.lfn)}")


def test_outputs_are_registered_in_rucio_and_the_job_ends_when_they_are_home(sites):
    lfn, dataset = "HIST.first.root", create_dataset("mc09.105001.HIST.first")
    job = holding(sites, lfn, dataset=dataset, destination_se=sites.far)
    register.run(after(minutes=1))
    assert state_of(job) == "transferring"

    sync.run(after(minutes=1))

    file = job.files.get().file
    assert sites.content(dataset) == {(lfn, file.size, file.adler32)}
    rules = {one.dataset.type: sites.rule(one.reference) for one in Subscription.objects.all()}
    assert {kind: rule["rse_expression"] for kind, rule in rules.items()} == {
        "sub": "FAR-DISK",
        dataset.type: "FAR-DISK",
    }
    arrival.run(after(minutes=2))
    assert state_of(job) == "transferring"
    sites.bring(file, sites.far)
    sync.run(after(minutes=2))
    arrival.run(after(minutes=2))
    assert state_of(job) == "finished"
    assert set(Subscription.objects.values_list("state", flat=True)) == {"done"}


def test_outputs_that_stay_where_they_were_made_are_known_to_rucio_and_kept(sites):
    dataset = create_dataset("mc09.105001.HIST.second")
    first = holding(sites, "HIST.second.1", dataset=dataset)
    register.run(after(minutes=1))
    sync.run(after(minutes=1))
    second = holding(sites, "HIST.second.2", dataset=dataset)
    register.run(after(minutes=2))

    sync.run(after(minutes=2))

    assert {state_of(first), state_of(second)} == {"finished"}
    assert {lfn for lfn, _size, _sum in sites.content(dataset)} == {
        "HIST.second.1", "HIST.second.2",
    }  # fmt: skip
    sites.server.evaluate()
    rule = sites.rule(Subscription.objects.get().reference)
    assert (rule["state"], rule["locks_ok_cnt"]) == ("OK", 2)


def test_a_dataset_that_grows_under_its_rule_arrives_whole(sites):
    first, second = sites.file(), sites.file(b"more")
    made = wish(sites, first)
    sync.run(NOW)
    made.dataset.members.create(file=second)
    extend(
        made.dataset, sites.near, [second.pk],
        activity=PRODUCTION, now=NOW, terms=Terms(vo="atlas"),
    )  # fmt: skip
    sync.run(NOW)
    sites.server.evaluate()

    sites.bring(first, sites.near)
    sync.run(after(minutes=1))
    assert fresh(made).state == "open"
    sites.bring(second, sites.near)
    sync.run(after(minutes=2))

    assert fresh(made).state == "done"


def test_a_wish_that_is_cancelled_ends_the_rule_and_can_be_wished_again(sites):
    made = wish(sites, sites.file())
    sync.run(NOW)
    reference = fresh(made).reference
    cancel(made, actor="alice", reason="wrong site", now=NOW)
    sync.run(NOW)
    assert sites.rule(reference)["expires_at"] is not None

    subscribe(made.dataset, sites.near, activity=PRODUCTION, now=NOW, terms=Terms(vo="atlas"))
    sync.run(NOW)

    assert fresh(made).reference == reference
    assert sites.rule(reference)["expires_at"] is None


def test_a_higher_priority_is_higher_in_rucio(sites):
    made = wish(sites, sites.file())
    sync.run(NOW)
    before = sites.rule(fresh(made).reference)["priority"]

    set_priority(made, 5000, actor="alice", reason="conference", now=NOW)
    sync.run(NOW)

    assert (before, sites.rule(made.reference)["priority"]) == (3, 5)


def test_while_rucio_is_away_nothing_is_lost_and_then_it_goes_on(sites, caplog):
    known, new = sites.file(), sites.file(b"new")
    waiting = wish(sites, known)
    sync.run(NOW)
    sites.server.stop()
    late = wish(sites, new)

    sync.run(after(minutes=1))
    sync.run(after(minutes=2))

    assert (fresh(waiting).state, fresh(late).state, late.reference) == ("open", "open", "")
    assert "cannot be reached" in caplog.records[-1].error
    assert set(Transfer.objects.values_list("state", "carrier")) == {("queued", "ddm")}
    sites.server.start()
    sync.run(after(minutes=3))
    for file in (known, new):
        sites.bring(file, sites.near)
    sync.run(after(minutes=4))
    assert {fresh(waiting).state, fresh(late).state} == {"done"}


def test_a_copy_that_is_stuck_is_a_failure_and_may_still_come(sites):
    file = sites.file()
    made = wish(sites, file)
    sync.run(NOW)

    sites.say(file, sites.near, state="U")
    sync.run(after(minutes=1))

    transfer = Transfer.objects.get()
    assert transfer.state == "failed"
    assert transfer.error.endswith("Rucio calls it stuck")
    assert fresh(made).state == "open"
    sites.bring(file, sites.near)
    sync.run(after(minutes=2))
    assert fresh(made).state == "done"
