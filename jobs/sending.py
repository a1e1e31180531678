"""The way home: outputs that were made elsewhere travel to their destination in `_sub` blocks."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from datasets import registry
from datasets import services as data
from datasets.ddm import choice
from datasets.models import Dataset, StorageElement
from datasets.states import DatasetState
from datasets.subscriptions import Terms, extend


class Outgoing(NamedTuple):
    """A registered output (its JobFile and its File, by key), its way, all by key, and its VO."""

    row_id: int
    job_id: int
    file_id: int
    dataset_id: int | None
    here_id: int
    home_id: int
    vo: str = ""


def send_home(outputs: Sequence[Outgoing], *, now: dt.datetime) -> dict[int, int]:
    """Put each into the block of its way, which is wished for at its home; blocks by JobFile."""
    if not outputs:
        return {}
    own = _own_datasets({out.job_id for out in outputs if out.dataset_id is None}, now)
    ways: dict[tuple[int, int, int], list[Outgoing]] = defaultdict(list)
    for out in outputs:
        ways[out.dataset_id or own[out.job_id], out.here_id, out.home_id].append(out)
    parents = _locked({parent for parent, _here, _home in ways})
    places = StorageElement.objects.in_bulk({key for way in ways for key in way[1:]})
    found: dict[int, int] = {}
    for (parent, here, home), group in sorted(ways.items()):
        block = _sub_block(parents[parent], places[here], places[home], now)
        files = [out.file_id for out in group]
        registry.add_members((block.pk, file) for file in files)
        terms = Terms(vo=group[0].vo)
        extend(block, places[home], files, activity="production", now=now, terms=terms)
        found.update((out.row_id, block.pk) for out in group)
    return found


def _own_datasets(panda_ids: Collection[int], now: dt.datetime) -> dict[int, int]:
    """For outputs that were declared without a dataset: one for each job, by PandaID."""
    names = {panda_id: f"panda.output.{panda_id}" for panda_id in panda_ids}
    made = data.ensure_datasets(names.values(), type=Dataset.Type.DESTINATION, now=now)
    return {panda_id: made[name].pk for panda_id, name in names.items()}


def _locked(parents: Collection[int]) -> dict[int, Dataset]:
    """The datasets by key, locked so that two sweeps make one block, not two.

    All at once in the order of their keys, since jobs name them in any order; and with a lock
    that lets others add files to them, as every registration does before it comes here.
    """
    rows = Dataset.objects.filter(pk__in=parents).order_by("pk")
    return {row.pk: row for row in rows.select_for_update(no_key=True)}


def _sub_block(
    parent: Dataset, here: StorageElement, home: StorageElement, now: dt.datetime
) -> Dataset:
    """The open `_sub` block of (dataset, source, destination), made when there is none."""
    block = parent.subs.filter(source=here, destination=home, state=DatasetState.OPEN).first()
    if block is not None:
        return block
    return data.new_dataset(
        _free_name(parent),
        type=Dataset.Type.SUB,
        now=now,
        parent=parent,
        source=here,
        destination=home,
    )


def _free_name(parent: Dataset) -> str:
    """`<parent>_sub0<serial>`; a dataset that somebody else named like that is stepped over."""
    serial = parent.subs.count() + 1
    while Dataset.objects.filter(name=(name := f"{parent.name}_sub0{serial}")).exists():
        serial += 1
    return name


class Made(NamedTuple):
    """A registered output: its File, its dataset, and where it is to stay, all by key."""

    file_id: int
    dataset_id: int
    storage_id: int
    vo: str


def wish_elsewhere(outputs: Sequence[Made], *, now: dt.datetime) -> None:
    """Datasets of a VO whose data another system has are wished for where they are to stay.

    So the system is told of them, and keeps them when the `_sub` blocks that carried them are
    gone. In one order, since two rounds may wish for the same.
    """
    ours: dict[tuple[int, int], list[Made]] = defaultdict(list)
    for one in outputs:
        if choice.of_vo(one.vo) != choice.BUILT_IN:
            ours[one.dataset_id, one.storage_id].append(one)
    datasets = Dataset.objects.in_bulk({dataset for dataset, _ in ours})
    places = StorageElement.objects.in_bulk({storage for _, storage in ours})
    for (dataset, storage), group in sorted(ours.items()):
        extend(
            datasets[dataset],
            places[storage],
            [one.file_id for one in group],
            activity="production",
            now=now,
            terms=Terms(vo=group[0].vo),
        )
