"""Blocks are closed when nobody owes them a file; what has served its time is cleared."""

import pytest

from datasets import services as data
from datasets.models import Dataset, Subscription, Transfer
from datasets.states import DatasetState
from jobs import closing, counts
from jobs.models import BrokerageDecision, ClaimKey, Job, Pilot, SubmitKey
from pandasite.base.rounds import Incomplete
from tests.base.trouble import database_error
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_pilot,
    create_pilot_account,
    create_site,
    create_storage,
    create_transfer,
    create_user,
)

pytestmark = pytest.mark.django_db


def sub_block(state="open", *, files=(), **fields):
    parent = create_dataset(type="destination")
    block = create_dataset(f"{parent.name}_sub01", type="sub", state=state, parent=parent, **fields)
    data.add_files(block, files)
    return block


def state_of(dataset):
    return Dataset.objects.get(pk=dataset.pk).state


def subscribe(block, state="open"):
    done_at = NOW if state == "done" else None
    return Subscription.objects.create(
        dataset=block, storage=create_storage(), state=state, created_at=NOW, done_at=done_at
    )


# -- sub blocks --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["defined", "running", "holding", "transferring"])
def test_a_block_stays_open_while_a_live_job_may_add_to_it(state):
    block = sub_block()
    create_job(state, outputs=["HIST.1"], dataset=block.parent)

    closing.close_datasets(NOW)

    assert state_of(block) == "open"


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_a_block_that_no_live_job_adds_to_is_to_be_closed(state):
    block = sub_block()
    create_job(state, outputs=["HIST.1"], dataset=block.parent)

    assert closing.close_datasets(NOW) == 1

    assert state_of(block) == "tobeclosed"


def test_a_job_that_reads_the_dataset_does_not_keep_its_block_open():
    block = sub_block()
    create_job("running", inputs=[create_file()], dataset=block.parent)

    closing.close_datasets(NOW)

    assert state_of(block) == "tobeclosed"


def test_a_block_is_frozen_after_the_pause():
    block = sub_block("tobeclosed", files=[create_file()])

    closing.close_datasets(after(minutes=29))
    assert state_of(block) == "tobeclosed"
    closing.close_datasets(after(minutes=30))
    assert state_of(block) == "frozen"


def test_a_block_that_stayed_empty_is_erased():
    block = sub_block("tobeclosed")

    closing.close_datasets(after(minutes=30))

    assert state_of(block) == "erased"


# -- completion --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sub", "dispatch"])
def test_a_frozen_block_is_completed_when_it_is_where_it_was_wanted(kind):
    block = create_dataset(type=kind, state="frozen")
    subscribe(block, "done")

    closing.close_datasets(NOW)

    assert state_of(block) == "completed"


def test_a_subscription_that_no_transfer_marked_done_is_settled_by_the_sweep():
    block = create_dataset(type="dispatch", state="frozen")
    subscription = subscribe(block)
    data.add_files(block, [create_file(at=[subscription.storage])])

    closing.close_datasets(after(hours=1))

    subscription.refresh_from_db()
    assert (subscription.state, subscription.done_at) == ("done", after(hours=1))
    assert state_of(block) == "completed"


def test_a_frozen_block_waits_for_all_its_subscriptions():
    block = create_dataset(type="sub", state="frozen")
    file = create_file()
    data.add_files(block, [file])
    subscribe(block, "done")
    create_transfer(file, subscribe(block, "open").storage)

    closing.close_datasets(NOW)

    assert state_of(block) == "frozen"


@pytest.mark.parametrize("kind", ["sub", "dispatch"])
@pytest.mark.parametrize("end", ["finished", "failed", "cancelled"])
def test_a_block_whose_missing_files_no_live_job_waits_for_is_given_up(kind, end):
    block, file = create_dataset(type=kind, state="frozen"), create_file()
    data.add_files(block, [file])
    subscription = subscribe(block)
    create_job(end, inputs=[file]).files.update(block=block)
    create_transfer(file, subscription.storage, state="failed", ended_at=NOW)

    assert closing.close_datasets(after(hours=1)) == 1

    subscription.refresh_from_db()
    assert state_of(block) == "erased"
    assert (subscription.state, subscription.done_at) == ("given_up", after(hours=1))
    assert "wanted by no job" in subscription.reason


def test_a_block_that_a_live_job_waits_for_is_kept():
    block, file = create_dataset(type="dispatch", state="frozen"), create_file()
    data.add_files(block, [file])
    subscribe(block)
    create_job("assigned", inputs=[file]).files.update(block=block)

    assert closing.close_datasets(NOW) == 0


@pytest.mark.parametrize("state", ["queued", "copying"])
def test_a_block_whose_files_are_still_moving_is_kept(state):
    block, file = create_dataset(type="dispatch", state="frozen"), create_file()
    data.add_files(block, [file])
    create_transfer(file, subscribe(block).storage, state=state)

    assert closing.close_datasets(NOW) == 0
    assert state_of(block) == "frozen"


def test_destination_datasets_belong_to_the_task_and_stay_open():
    dataset = create_dataset(type="destination")

    closing.close_datasets(after(days=30))

    assert state_of(dataset) == "open"


def test_the_loser_of_a_race_goes_on_with_the_next_block(monkeypatch):
    first, second = sub_block(), sub_block()
    change = data.set_dataset_state

    def somebody_was_faster(dataset, to, *, now):
        if dataset == first:
            change(dataset, DatasetState.ERASED, now=now)
        change(dataset, to, now=now)

    monkeypatch.setattr(data, "set_dataset_state", somebody_was_faster)

    assert closing.close_datasets(NOW) == 1
    assert (state_of(first), state_of(second)) == ("erased", "tobeclosed")


def test_a_block_that_somebody_holds_does_not_stop_the_others(monkeypatch):
    first, second = sub_block(), sub_block()
    change = data.set_dataset_state

    def locked(dataset, to, *, now):
        if dataset == first:
            raise database_error("55P03")
        change(dataset, to, now=now)

    monkeypatch.setattr(data, "set_dataset_state", locked)

    with pytest.raises(Incomplete, match=first.name) as left:
        closing.close_datasets(NOW)

    assert left.value.rows == 1
    assert (state_of(first), state_of(second)) == ("open", "tobeclosed")


# -- housekeeping ------------------------------------------------------------------------------


def test_keys_are_kept_for_a_day():
    account = create_pilot_account(create_site())
    ClaimKey.objects.create(account=account, key="k", body_sha256="", salt="", created_at=NOW)
    SubmitKey.objects.create(owner=create_user(), key="k", body_sha256="", created_at=NOW)

    assert closing.housekeep(after(hours=23)) == 0
    assert closing.housekeep(after(hours=25)) == 2


def test_pilots_are_forgotten_after_a_month_of_silence():
    site = create_site()
    create_pilot(site)
    heard = create_pilot(site, last_contact=after(days=5))

    assert closing.housekeep(after(days=30)) == 0
    assert closing.housekeep(after(days=31)) == 1

    assert Pilot.objects.get() == heard


def test_a_pilot_is_kept_for_as_long_as_a_lease_may_last(settings):
    settings.PANDASITE = settings.PANDASITE | {"PILOT_DAYS": 1, "LEASE_SECONDS": 3 * 86_400}
    site = create_site()
    create_job("running", site=site, pilot=create_pilot(site))

    closing.housekeep(after(days=3))
    assert Pilot.objects.exists()

    closing.housekeep(after(days=4))
    assert not Pilot.objects.exists()


def test_a_job_outlives_its_pilot():
    site = create_site()
    job = create_job("finished", site=site, pilot=create_pilot(site))

    closing.housekeep(after(days=31))

    assert not Pilot.objects.exists()
    assert Job.objects.select_related("pilot").get(pk=job.pk).pilot is None


def test_all_batches_of_silent_pilots_are_forgotten(monkeypatch):
    monkeypatch.setattr(closing, "BATCH", 2)
    site = create_site()
    for _ in range(5):
        create_pilot(site)

    assert closing.housekeep(after(days=31)) == 6  # and their node


def test_hours_that_no_page_shows_are_merged():
    create_job("finished")
    counts.fold()

    assert closing.housekeep(after(days=30)) == 0
    assert closing.housekeep(after(days=32)) == 1


def test_failed_transfers_are_forgotten_after_a_week_and_others_after_three_months(monkeypatch):
    monkeypatch.setattr(closing, "BATCH", 2)
    storage = create_storage()
    for _ in range(5):
        create_transfer(create_file(), storage, state="failed", ended_at=NOW, error="down")
    done = create_transfer(create_file(), storage, state="done", ended_at=NOW)

    assert closing.housekeep(after(days=7)) == 0
    assert closing.housekeep(after(days=8)) == 5
    assert Transfer.objects.get() == done
    closing.housekeep(after(days=91))
    assert not Transfer.objects.exists()


def test_of_the_failed_tries_of_a_file_the_latest_is_kept():
    file, storage = create_file(), create_storage()
    for _ in range(3):
        latest = create_transfer(file, storage, state="failed", ended_at=NOW, error="down")

    assert closing.housekeep(after(hours=23)) == 0
    assert closing.housekeep(after(hours=25)) == 2
    assert Transfer.objects.get() == latest


def test_decisions_are_kept_while_a_job_shows_them():
    shown, unseen = (
        BrokerageDecision.objects.create(at=NOW, site="", n_jobs=1, detail={}) for _ in range(2)
    )
    job = create_job(decision=shown)

    assert closing.housekeep(after(days=2)) == 0
    assert closing.housekeep(after(days=4)) == 1

    assert BrokerageDecision.objects.get() == shown != unseen
    assert Job.objects.get().pk == job.pk
