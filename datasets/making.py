"""Datasets and containers that people make, and the files that they put in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from datasets import registry
from datasets.models import ContainerMember, Dataset, StorageElement
from datasets.registry import NewFile
from datasets.states import DatasetState
from pandasite.base.errors import BadInput, Conflict, field_error
from pandasite.base.nudge import nudge

OPEN = (DatasetState.OPEN, DatasetState.TOBECLOSED)


def make_dataset(
    name: str,
    *,
    type: Dataset.Type,
    owner: User,
    now: dt.datetime,
    lifetime: dt.timedelta | None = None,
) -> Dataset:
    """A new, open dataset or container; Conflict when the name is taken."""
    try:
        with transaction.atomic():
            return Dataset.objects.create(
                name=name,
                type=type,
                owner=owner,
                created_at=now,
                state_changed_at=now,
                expires_at=now + lifetime if lifetime else None,
            )
    except IntegrityError as error:
        raise Conflict(f"there is a dataset {name} already", code="dataset_exists") from error


def add_new_files(
    dataset: Dataset,
    files: Sequence[NewFile],
    *,
    storage: StorageElement | None,
    now: dt.datetime,
) -> None:
    """Enter files in the catalogue and the dataset, with a replica where a storage is named.

    Conflict: the dataset is not open, is a container, or a name belongs to other content.
    """
    with transaction.atomic():
        held = Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)
        must_be_open(held)
        keys = registry.enter(files, now=now)
        registry.add_members((dataset.pk, key) for key in keys.values())
        if storage is not None:
            registry.add_replicas(((key, storage.pk) for key in keys.values()), now=now)
    nudge("jobs.wake")


def must_be_open(dataset: Dataset) -> None:
    """Conflict when no file may be added."""
    if dataset.type == Dataset.Type.CONTAINER:
        raise Conflict(f"{dataset.name} is a container: it has datasets, no files")
    if dataset.state not in OPEN:
        raise Conflict(f"{dataset.name} is {dataset.state}: files may be added to an open one only")


def contain(container: Dataset, names: Sequence[str]) -> None:
    """Put datasets into a container; BadInput names the first that is not known, or is one."""
    found = {one.name: one for one in Dataset.objects.filter(name__in=names)}
    for nr, name in enumerate(names):
        if name not in found:
            raise _bad(nr, f"dataset {name} is not known", "unknown_dataset")
        if found[name].type == Dataset.Type.CONTAINER:
            raise _bad(nr, f"{name} is a container, and those hold datasets", "nested_container")
    ContainerMember.objects.bulk_create(
        [
            ContainerMember(container=container, dataset=found[name])
            for name in dict.fromkeys(names)
        ],
        ignore_conflicts=True,
    )


def _bad(nr: int, message: str, code: str) -> BadInput:
    fault = field_error(f"datasets[{nr}]", message, code=code)
    return BadInput(message, code=code, fields=[fault])
