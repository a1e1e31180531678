"""Files that have to move, and transfers that are under way when something dies."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from datasets.models import Replica, StorageElement, Transfer
from datasets.states import TransferState
from datasets.storage import path_of
from pandasite.base.clock import database_now
from tests.builders import create_file, create_storage, create_transfer
from tests.faults.books import Books
from tests.faults.grid import SCOPE, new_name
from tests.faults.site import FaultSite
from tests.flow.installation import eventually

CONTENT = b"faults" * 1000
DECISIONS = "jobs_brokeragedecision"  # where brokerage writes what it has decided


def queued(books: Books, number: int) -> list[int]:
    """Transfers of so many small files from one new storage element to another; their keys."""
    name = new_name()
    with books.site.books(), transaction.atomic():
        now = database_now()
        source, destination = (storage(books.site, f"{name}_{end}") for end in ("FROM", "TO"))
        keys = []
        for nr in range(number):
            lfn = f"FILE.{name}._{nr:05d}.root"
            put(source, lfn)
            about: dict[str, Any] = {
                "size": len(CONTENT),
                "adler32": f"{zlib.adler32(CONTENT):08x}",
            }
            file = create_file(lfn, at=[source], scope=SCOPE, **about)
            keys.append(create_transfer(file, destination, created_at=now, next_try_at=now).pk)
        return keys


def storage(site: FaultSite, name: str) -> StorageElement:
    folder = site.home.path / "storage" / name
    folder.mkdir(parents=True)
    return create_storage(name, url=f"file://{folder}", capacity_bytes=10**15, threshold_gb=0)


def put(storage: StorageElement, lfn: str) -> None:
    path = root_of(storage) / path_of(SCOPE, lfn)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)


def root_of(storage: StorageElement) -> Path:
    return Path(storage.url.removeprefix("file://"))


def nobody_may_register(site: FaultSite) -> AbstractContextManager[None]:
    """Inside, transfers go as far as to the last step, and wait there."""
    return nobody_may_write(site, "datasets_replica")


@contextmanager
def nobody_may_write(site: FaultSite, table: str) -> Iterator[None]:
    """Inside, whoever comes to write into this table waits."""
    with site.books(), transaction.atomic():
        with connection.cursor() as cursor:
            # It may last: this session asks for no limit.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield


def await_waiting(site: FaultSite, number: int, *, seconds: float = 180.0) -> None:
    """Until so many statements wait for a table; inside `nobody_may_write`."""
    eventually(lambda: waiting() >= number, pause=0.05, seconds=seconds, what=site.trouble_in_logs)


def waiting() -> int:
    """How many statements wait for a table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
        return int(cursor.fetchone()[0])


def not_moved_once(keys: list[int]) -> Iterator[str]:
    """Lapses of transfers that should have brought their file, once; inside `site.books()`."""
    for transfer in Transfer.objects.filter(pk__in=keys).select_related("file", "destination"):
        if transfer.state != TransferState.DONE:
            yield f"transfer {transfer.pk} is {transfer.state}: {transfer.error}"
        replicas = Replica.objects.filter(file=transfer.file, storage=transfer.destination)
        if replicas.count() != 1:
            yield f"{transfer.file} has {replicas.count()} replicas at {transfer.destination}"
        root = root_of(transfer.destination)
        path = root / path_of(SCOPE, transfer.file.lfn)
        if not path.exists() or path.read_bytes() != CONTENT:
            yield f"{path} is not what was sent"
        yield from (f"{part} was left" for part in path.parent.glob(".*.part"))


def states_of(site: FaultSite, keys: list[int]) -> set[str]:
    with site.books():
        return set(Transfer.objects.filter(pk__in=keys).values_list("state", flat=True))
