"""Actions on jobs, data and nodes ask for a reason first and report at the end."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from brokerage.models import BannedNode
from datasets.models import Replica, StorageElement, Transfer
from datasets.states import TransferState
from jobs.models import Job, JobEvent
from pandasite.base import deeds
from pandasite.base.models import AuditLine
from tests import builders as make
from tests.admin.pages import act, address, text, the_audit
from tests.builders import NOW

pytestmark = pytest.mark.django_db


# -- jobs ------------------------------------------------------------------------------------


def test_to_kill_asks_for_a_reason_and_kills_nothing_without(operator: Client) -> None:
    job = make.create_job()
    asked = act(operator, "kill", job)
    refused = act(operator, "kill", job, reason="")
    job.refresh_from_db()
    assert f"job {job.pk}" in text(asked)
    assert (asked.status_code, refused.status_code) == (200, 400)
    assert refused.context["form"].errors.keys() == {"reason"}
    assert job.state == "defined" and not AuditLine.objects.exists()


def test_a_kill_reports_what_became_of_each_job(operator: Client) -> None:
    queued, running, over = (make.create_job(s) for s in ("activated", "running", "finished"))
    page = text(act(operator, "kill", queued, running, over, reason="runaway"))
    assert f"Cancelled: job {queued.pk}" in page
    assert f"Its pilot is told to end it: job {running.pk}" in page
    assert f"Refused: job {over.pk}: job {over.pk} is finished" in page
    states = dict(Job.objects.values_list("pk", "state"))
    assert states == {queued.pk: "cancelled", running.pk: "running", over.pk: "finished"}


def test_a_kill_has_its_author_and_reason_in_event_and_audit_log(operator: Client) -> None:
    job = make.create_job()
    act(operator, "kill", job, reason="runaway")
    event = JobEvent.objects.get(job=job, to_state="cancelled")
    assert (event.actor, event.reason["reason"]) == ("olga", "runaway")
    assert the_audit() == ("olga", "job_kill", "runaway")
    assert AuditLine.objects.get().subject == f"job {job.pk}"


def test_a_refused_job_leaves_no_audit_line(operator: Client) -> None:
    act(operator, "kill", make.create_job("finished"), reason="runaway")
    assert not AuditLine.objects.exists()


def test_a_rebrokered_job_loses_its_site_and_a_running_one_keeps_it(operator: Client) -> None:
    activated, running = make.create_job("activated"), make.create_job("running")
    page = text(act(operator, "rebroker", activated, running, reason="site is slow"))
    activated.refresh_from_db()
    assert (activated.state, activated.computing_site) == ("defined", None)
    assert f"Refused: job {running.pk}: it is running" in page
    assert the_audit() == ("olga", "job_rebroker", "site is slow")


@pytest.mark.parametrize("action", ["kill", "rebroker"])
def test_a_shifter_kills_and_rebrokers_nothing(action: str, shifter: Client) -> None:
    job = make.create_job("activated")
    act(shifter, action, job, reason="because")
    job.refresh_from_db()
    assert job.state == "activated" and not AuditLine.objects.exists()


def test_more_rows_than_a_form_can_carry_are_refused(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deeds, "MOST", 2)
    jobs = [make.create_job() for _ in range(3)]
    page = act(operator, "kill", *jobs, reason="all of it")
    assert "At most 2 jobs at once" in text(page)
    assert not Job.objects.filter(state="cancelled").exists()


# -- transfers, datasets, replicas -----------------------------------------------------------


def failed_transfer(destination: StorageElement | None = None) -> Transfer:
    return make.create_transfer(
        make.create_file(), destination or make.create_storage(), state="failed", ended_at=NOW
    )


def test_a_failed_transfer_is_requested_anew_and_stays_as_evidence(operator: Client) -> None:
    old = failed_transfer()
    errand = {"activity": "user", "priority": 7, "vo": "atlas"}
    Transfer.objects.update(**errand)
    act(operator, "retry", old, reason="disk was full")
    new = Transfer.objects.exclude(pk=old.pk).get()
    old.refresh_from_db()
    assert (old.state, new.state) == (TransferState.FAILED, TransferState.QUEUED)
    assert (new.file, new.destination) == (old.file, old.destination)
    assert {name: getattr(new, name) for name in errand} == errand
    assert the_audit() == ("olga", "transfer_retry", "disk was full")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"state": "queued"}, "it is queued"),
        ({"state": "done", "ended_at": NOW}, "it is done"),
    ],
)
def test_only_a_failed_transfer_is_tried_again(
    fields: dict[str, Any], why: str, operator: Client
) -> None:
    transfer = make.create_transfer(make.create_file(), make.create_storage(), **fields)
    page = act(operator, "retry", transfer, reason="again")
    assert why in text(page) and Transfer.objects.count() == 1


def test_a_transfer_is_not_tried_twice_at_a_time(operator: Client) -> None:
    transfer = failed_transfer()
    act(operator, "retry", transfer, reason="again")
    page = act(operator, "retry", transfer, reason="again")
    assert "another transfer" in text(page) and Transfer.objects.count() == 2


def test_a_file_that_has_arrived_is_not_sent_again(operator: Client) -> None:
    transfer = failed_transfer()
    make.create_replica(transfer.file, transfer.destination)
    page = act(operator, "retry", transfer, reason="again")
    assert "there already" in text(page) and Transfer.objects.count() == 1


def test_a_dataset_moves_by_the_table_only(root: Client) -> None:
    dataset = make.create_dataset("a.b.c")
    act(root, "move_dataset", dataset, reason="all is there", state="frozen")
    page = act(root, "move_dataset", dataset, reason="oops", state="open")
    dataset.refresh_from_db()
    assert dataset.state == "frozen"
    assert "dataset a.b.c is frozen, it may not become open" in text(page)
    assert the_audit() == ("root", "dataset_state", "all is there")


@pytest.mark.parametrize("state", ["", "completed", "nonsense"])
def test_a_state_that_nobody_may_ask_for_is_an_error_at_the_field(state: str, root: Client) -> None:
    dataset = make.create_dataset(state="frozen")
    page = act(root, "move_dataset", dataset, reason="please", state=state)
    assert page.context["form"].errors.keys() == {"state"}


def test_a_replica_marked_bad_says_who_and_why(root: Client) -> None:
    storage = make.create_storage()
    file = make.create_file(at=[storage])
    act(root, "mark_bad", Replica.objects.get(), reason="disk crash")
    page = act(root, "mark_bad", Replica.objects.get(), reason="again")
    replica = Replica.objects.get(file=file)
    assert (replica.state, replica.reason) == ("bad", "root: disk crash")
    assert "marked bad already" in text(page)


# -- nodes -----------------------------------------------------------------------------------


def test_a_pilots_node_is_banned_with_author_and_reason(operator: Client) -> None:
    pilot = make.create_pilot(make.create_site("AGLT2"), node="wn13")
    act(operator, "ban_node", pilot, reason="black hole")
    ban = BannedNode.objects.get()
    assert (str(ban), ban.reason, str(ban.author)) == ("wn13 at AGLT2", "black hole", "olga")
    assert the_audit() == ("olga", "ban_node", "black hole")


def test_a_ban_by_the_form_is_signed_by_its_author(operator: Client) -> None:
    site = make.create_site("AGLT2")
    form = {"site": site.pk, "node": "wn13", "reason": "black hole", "author": "1"}
    answer = operator.post(address(BannedNode, "add"), form)
    assert answer.status_code == 302
    assert str(BannedNode.objects.get().author) == "olga"
    assert the_audit() == ("olga", "ban_node", "black hole")


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"reason": "", "node": "wn14"}, "reason"), ({"node": ""}, "node"), ({}, "__all__")],
)
def test_a_ban_without_reason_or_a_second_one_is_an_error_at_the_field(
    fields: dict[str, str], field: str, operator: Client
) -> None:
    site = make.create_site("AGLT2")
    BannedNode.objects.create(site=site, node="wn13", reason="r", at=NOW)
    form = {"site": site.pk, "node": "wn13", "reason": "black hole"} | fields
    page = operator.post(address(BannedNode, "add"), form)
    assert page.context["adminform"].form.errors.keys() == {field}


def test_a_ban_by_the_form_may_end_by_itself(operator: Client) -> None:
    site = make.create_site("AGLT2")
    form = {"site": site.pk, "node": "wn13", "reason": "r", "until_0": "2099-01-01"}
    operator.post(address(BannedNode, "add"), form | {"until_1": "12:00:00"})
    assert BannedNode.objects.get().until == dt.datetime(2099, 1, 1, 12, tzinfo=dt.UTC)


def test_a_ban_that_is_over_already_is_an_error_at_the_field(operator: Client) -> None:
    site = make.create_site("AGLT2")
    form = {"site": site.pk, "node": "wn13", "reason": "r", "until_0": "2009-01-01"}
    page = operator.post(address(BannedNode, "add"), form | {"until_1": "12:00:00"})
    assert page.context["adminform"].form.errors.keys() == {"until"}


def test_a_ban_is_lifted_with_a_reason(operator: Client) -> None:
    ban = BannedNode.objects.create(site=make.create_site(), node="wn13", reason="r", at=NOW)
    act(operator, "lift_ban", ban, reason="repaired")
    assert not BannedNode.objects.exists()
    assert the_audit() == ("olga", "lift_ban", "repaired")


def test_a_ban_is_not_deleted_without_a_reason(root: Client) -> None:
    ban = BannedNode.objects.create(site=make.create_site(), node="wn13", reason="r", at=NOW)
    answer = root.post(address(BannedNode, "delete", ban.pk), {"post": "yes"})
    assert answer.status_code == 403 and BannedNode.objects.exists()
