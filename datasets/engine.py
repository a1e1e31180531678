"""The built-in transfer engine: works on transfers alone and knows no jobs.

A transfer goes queued -> copying (under a lease) -> done, or back to queued with a growing
pause, or failed with the reason. Every step is a conditional update, so any number of workers
may run, die and repeat. A worker holds a bunch of files of one link at a time (taking.py), copies
them one after the other, and writes down what has arrived about each second.
"""

from __future__ import annotations

import datetime as dt
import logging
import time

from django.conf import settings

from datasets import bulk, health, services, storage, taking
from datasets.bulk import Arrived
from datasets.health import Notes
from datasets.models import File, Replica, StorageElement, Transfer
from datasets.storage import Copied
from datasets.taking import Bunch
from pandasite.base.clock import database_now
from pandasite.base.nudge import nudge

log = logging.getLogger(__name__)

BATCH = 500  # transfers that are counted per round
TURN_SECONDS = 30.0  # how long a task goes on taking bunches
FLUSH_SECONDS = 1.0  # what has arrived is written down after so long


def schedule(now: dt.datetime) -> int:
    """Wake as many workers as there is work for; how many transfers are due, up to a batch."""
    services.release_abandoned(now=now)
    services.give_up_old(now=now)
    due = Transfer.objects.due(now)[:BATCH].count()
    each = settings.PANDASITE["TRANSFER_BUNCH"]
    for slot in range(min(-(-due // each) if due else 0, settings.PANDASITE["TRANSFER_STREAMS"])):
        nudge("datasets.transfer", slot, queue="transfers")
    return due


def work(slot: int, *, seconds: float = TURN_SECONDS) -> int:
    """Carry out bunch after bunch for so long; how many files were brought.

    Whoever leaves work behind wakes the next, who may be itself.
    """
    until, brought = time.monotonic() + seconds, 0
    while bunch := taking.take(now=database_now()):
        brought += carry_out(bunch)
        if time.monotonic() > until:
            nudge("datasets.transfer", slot, queue="transfers")
            break
    return brought


def run(transfer_id: int) -> bool:
    """Carry out one transfer; True when this call brought the file to its destination."""
    bunch = taking.take_one(transfer_id, now=database_now())
    return bunch is not None and carry_out(bunch) == 1


def carry_out(bunch: Bunch) -> int:
    """Copy a bunch; how many files this call brought to their destination.

    For each file: nothing to do when a replica is already there; else it comes from the first good
    source, with size and adler32 checked; a source with other content is marked bad and the next
    one is tried; then its replica is registered, or it is queued again.
    """
    trip = Trip(bunch)
    try:
        for transfer in bunch.transfers:
            trip.go(transfer)
    finally:
        trip.flush()
        health.note(trip.notes, now=database_now())
    return trip.brought


class Trip:
    """One worker on its way with a bunch."""

    def __init__(self, bunch: Bunch) -> None:
        self.bunch = bunch
        self.held = {transfer.pk for transfer in bunch.transfers}
        self.arrived: list[Arrived] = []
        self.brought = 0
        self.notes = Notes()
        self.flushed = self.renewed = time.monotonic()

    def go(self, transfer: Transfer) -> None:
        """One file."""
        if transfer.pk not in self.held:
            return
        if transfer.file_id in self.bunch.there:
            self.arrived.append(Arrived(transfer=transfer, source=None, size=0))
        else:
            self._fetch(transfer)
        self._keep_up()

    def flush(self) -> None:
        """See to the disk what has arrived, and write it down."""
        refused = storage.settle([a.unsettled for a in self.arrived if a.unsettled])
        for one in list(self.arrived) if refused else []:
            if one.unsettled and (error := refused.get(one.unsettled)):
                self.arrived.remove(one)
                _again(one.transfer, str(error), permanent=False)
        self.brought += len(bulk.finish(self.arrived, now=database_now()))
        self.arrived.clear()
        self.flushed = time.monotonic()

    def _keep_up(self) -> None:
        if self.arrived and time.monotonic() - self.flushed >= FLUSH_SECONDS:
            self.flush()
        self._renew()

    def _renew(self) -> None:
        """A bunch that takes longer than its lease renews it."""
        pause = settings.PANDASITE["TRANSFER_LEASE_SECONDS"] / 3
        if time.monotonic() - self.renewed < pause:
            return
        self.held = bulk.renew(self.bunch.id, now=database_now())
        self.renewed = time.monotonic()

    def _fetch(self, transfer: Transfer) -> None:
        problems: list[str] = []
        for source in self.bunch.sources.get(transfer.file_id, ()):
            try:
                self._copy(transfer, source)
            except storage.NotStaged:
                services.await_stage(transfer, source, now=database_now())
                return
            except storage.SourceError as error:
                problems.append(f"{source.name}: {error}")
                self.notes.source_failed(source, transfer.destination, str(error))
                _mark(transfer, source, error)
            except storage.StorageError as error:
                self.notes.destination_failed(source, transfer.destination, str(error))
                _again(transfer, f"{source.name}: {error}", permanent=False)
                return
            else:
                return
        good = Replica.objects.filter(file=transfer.file_id, state=Replica.State.AVAILABLE)
        words = "; ".join(problems) or _no_source(transfer.file)
        _again(transfer, words, permanent=not good.exists())

    def _copy(self, transfer: Transfer, source: StorageElement) -> None:
        file, begun = transfer.file, time.monotonic()
        brought = storage.bring(
            storage.Order(
                source=_open(source, storage.SourceError),
                target=_open(transfer.destination, storage.StorageError),
                path=storage.path_of(file.scope, file.lfn),
                expected=Copied(size=file.size, adler32=file.adler32),
                # A name for each attempt: a worker that only seemed dead cannot write into the
                # part file of the next one.
                tag=f"t{transfer.pk}.{transfer.attempts}",
                progress=lambda _done: self._still_ours(transfer),
            )
        )
        self.notes.arrived(
            source,
            transfer.destination,
            size=file.size,
            seconds=time.monotonic() - begun,
            first_byte=brought.first_byte,
        )
        self.arrived.append(
            Arrived(
                transfer=transfer,
                source=source,
                size=file.size,
                proof=brought.proof,
                unsettled=brought.unsettled,
            )
        )

    def _still_ours(self, transfer: Transfer) -> None:
        """To be called with every piece. StorageError when somebody else has taken it over.

        What arrived before a large file does not wait for its end.
        """
        self._keep_up()
        if transfer.pk not in self.held:
            raise storage.StorageError("another worker has taken over")


def _open(element: StorageElement, kind: type[storage.StorageError]) -> storage.Place:
    try:
        return storage.open_place(element.address)
    except storage.StorageError as error:
        raise kind(f"cannot open {element.name}: {error}") from error


def _mark(transfer: Transfer, source: StorageElement, error: storage.SourceError) -> None:
    """A copy with other content is bad; so is one that is still not there in the last try."""
    last = transfer.attempts >= settings.PANDASITE["TRANSFER_ATTEMPTS"]
    if isinstance(error, storage.BadContent) or (last and isinstance(error, storage.FileMissing)):
        services.mark_bad(transfer.file, source, str(error))


def _again(transfer: Transfer, error: str, *, permanent: bool) -> None:
    log.warning("transfer_failed", extra={"transfer": transfer.pk, "error": error})
    services.retry_or_fail_transfer(transfer, error, permanent=permanent, now=database_now())


def _no_source(file: File) -> str:
    bad = Replica.objects.filter(file=file, state=Replica.State.BAD).select_related("storage")
    known = "; ".join(f"{replica.storage.name}: {replica.reason}" for replica in bad)
    return f"no good replica of {file}" + (f" ({known})" if known else "")
