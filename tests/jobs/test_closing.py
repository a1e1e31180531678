"""Blocks are closed when nobody owes them a file; what has served its time is cleared."""

import pytest

from datasets import services as data
from datasets.models import Dataset, Subscription
from datasets.states import DatasetState
from jobs import closing
from pandasite.base.rounds import Incomplete
from tests.base.trouble import database_error
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_storage,
    create_transfer,
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
