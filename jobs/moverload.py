"""New jobs of PandaMover: which queued transfers travel together, and the jobs that carry them."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from brokerage.models import VO, Site
from datasets import handover
from datasets.ddm import arrivals
from datasets.models import (
    Dataset,
    MoverRule,
    Replica,
    SiteStorage,
    StorageElement,
    Subscription,
    Transfer,
)
from datasets.states import TransferState
from datasets.storage import path_of
from jobs import identity
from jobs.booking import MOVER
from jobs.history import record_births
from jobs.models import Job, JobFile, Move
from jobs.rows import JobSpec, Known, write_jobs
from pandasite.base.copying import reserve_keys
from pandasite.base.nudge import nudge

log = logging.getLogger(__name__)

OWNER = "pandamover"
PRIORITY = 200_000
TRANSFORMATION = "mover.py"
BATCH = 2000  # transfers looked at per round
LEASE_SLACK = dt.timedelta(hours=6)  # for a killed job to end, and to be settled


class Channel(NamedTuple):
    """From where to where, by key, and what for."""

    source: int
    destination: int
    type: str


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one job is to carry."""

    channel: Channel
    transfers: Sequence[Transfer]


def load(*, now: dt.datetime) -> int:
    """Make jobs for what is due; how many transfers they carry."""
    due = list(
        Transfer.objects.filter(
            ~Exists(Move.objects.filter(transfer=OuterRef("pk"), settled_at=None)),
            state=TransferState.QUEUED,
            carrier="mover",
            next_try_at__lte=now,
        )
        .select_related("file")
        .order_by("-priority", "next_try_at", "pk")[:BATCH]
    )
    if not due:
        return 0
    channels = _channels(due, now=now)
    sites = _sites({channel.destination for channel in channels.values()})
    loads = [one for one in _loads(due, channels) if one.channel.destination in sites]
    carried = sum(
        _send(one, sites[one.channel.destination], now=now) for one in _within_limits(loads)
    )
    if carried:
        nudge("jobs.assign")
    return carried


# -- channels ----------------------------------------------------------------------------------


def _channels(due: Sequence[Transfer], *, now: dt.datetime) -> dict[int, Channel]:
    """By transfer. What has no good replica any more is given up, what came otherwise is done."""
    replicas = Replica.objects.filter(
        file__in={one.file_id for one in due}, state=Replica.State.AVAILABLE
    )
    there: dict[int, list[int]] = defaultdict(list)
    for file, storage in replicas.order_by("storage__kind", "pk").values_list("file", "storage"):
        there[file].append(storage)
    handover.no_source([one.pk for one in due if not there[one.file_id]], now=now)
    here = {one.pk: one for one in due if one.destination_id in there[one.file_id]}
    with transaction.atomic():
        came = {(one.file_id, one.destination_id): 0 for one in here.values()}  # bytes moved
        arrivals.arrived(came, now=now)
    wanted_sources = _rule_sources()
    types = _types(due)
    found = {}
    for one in due:
        # disk before tape, as it came
        sources = sorted(there[one.file_id], key=lambda se: se not in wanted_sources)
        if sources and one.pk not in here:
            kind = types.get((one.file_id, one.destination_id), Move.Type.DDM)
            found[one.pk] = Channel(sources[0], one.destination_id, kind)
    return found


def _rule_sources() -> set[int]:
    """The storage elements that rules name as sources: they are read from before others."""
    rules = MoverRule.objects.filter(enabled=True, source__isnull=False)
    return set(rules.values_list("source", flat=True))


def _types(due: Sequence[Transfer]) -> dict[tuple[int, int], str]:
    """By (file, destination): `dis` or `sub` when an open subscription of such a block wants it."""
    names = {Dataset.Type.DISPATCH: Move.Type.DIS, Dataset.Type.SUB: Move.Type.SUB}
    wanted = Subscription.objects.filter(
        state=Subscription.State.OPEN,
        dataset__type__in=list(names),
        dataset__members__file__in={one.file_id for one in due},
        storage__in={one.destination_id for one in due},
    )
    rows = wanted.values_list("dataset__members__file", "storage", "dataset__type")
    return {(file, storage): names[Dataset.Type(kind)] for file, storage, kind in rows}


def _sites(destinations: set[int]) -> dict[int, Site]:
    """The site whose jobs write to each; the first by name that is not offline."""
    rows = SiteStorage.objects.filter(storage__in=destinations, role=SiteStorage.Role.LOCAL)
    rows = rows.exclude(site__status=Site.Status.OFFLINE)
    found = {
        row.storage_id: row.site for row in rows.select_related("site").order_by("-site__name")
    }
    for storage in StorageElement.objects.filter(pk__in=destinations - found.keys()):
        log.warning("mover_without_site", extra={"storage": storage.name})
    return found


# -- loads -------------------------------------------------------------------------------------


def _loads(due: Sequence[Transfer], channels: Mapping[int, Channel]) -> Iterator[Load]:
    """Bunches of a channel in the order of their priorities; what failed before travels alone."""
    together: dict[Channel, list[Transfer]] = defaultdict(list)
    most = settings.PANDASITE["MOVER_FILES"]
    for one in due:
        channel = channels.get(one.pk)
        if channel is None:
            continue
        if one.attempts:
            yield Load(channel=channel, transfers=[one])
            continue
        bunch = together[channel]
        # The files of a job meet in one folder, whatever their scopes.
        if len(bunch) == most or any(one.file.lfn == other.file.lfn for other in bunch):
            yield Load(channel=channel, transfers=bunch)
            bunch = together[channel] = []
        bunch.append(one)
    for channel, bunch in together.items():
        if bunch:
            yield Load(channel=channel, transfers=bunch)


def _within_limits(loads: Sequence[Load]) -> Iterator[Load]:
    """As many as each channel may still have; one that reads from tape may have more."""
    tapes = set(
        StorageElement.objects.filter(kind=StorageElement.Kind.TAPE).values_list("pk", flat=True)
    )
    rows = Move.objects.filter(settled_at=None).order_by()
    jobs = rows.values_list("panda_id", "source", "destination", "type").distinct()
    busy = Counter(Channel(source, to, kind) for _panda_id, source, to, kind in jobs)
    for one in loads:
        prestage = one.channel.source in tapes
        name = "MOVER_PRESTAGE_JOBS" if prestage else "MOVER_CHANNEL_JOBS"
        if busy[one.channel] < settings.PANDASITE[name]:
            busy[one.channel] += 1
            yield one


# -- jobs --------------------------------------------------------------------------------------


def _send(one: Load, site: Site, *, now: dt.datetime) -> int:
    """Hand the transfers over and make their job, in one transaction; how many it carries."""
    hours = settings.PANDASITE["MOVER_WAITING_HOURS"] + settings.PANDASITE["MOVER_RUNNING_HOURS"]
    until = now + dt.timedelta(hours=hours) + LEASE_SLACK
    source = StorageElement.objects.get(pk=one.channel.source)
    with transaction.atomic():
        sources = dict.fromkeys([t.pk for t in one.transfers], source.pk)
        held = set(handover.hand_over(sources, until=until, now=now))
        taken = [t for t in one.transfers if t.pk in held]
        if not taken:
            return 0
        panda_id = _make_job(taken, one.channel, source, site, now=now)
        Move.objects.bulk_create(
            Move(
                panda_id=panda_id,
                transfer=transfer,
                source_id=one.channel.source,
                destination_id=one.channel.destination,
                type=one.channel.type,
                created_at=now,
            )
            for transfer in taken
        )
    return len(taken)


def _make_job(
    taken: Sequence[Transfer],
    channel: Channel,
    source: StorageElement,
    site: Site,
    *,
    now: dt.datetime,
) -> int:
    """Its outputs are files that the catalogue knows: booking.py compares, and registers nothing.

    They have the status `failed` until they are there, since their names are promised by nobody.
    """
    (panda_id,) = reserve_keys(Job, 1)
    words = [f"--source {source.url}"]
    words += [
        f"--file {path_of(t.file.scope, t.file.lfn)}:{t.file.size}:{t.file.adler32}" for t in taken
    ]
    fields = {
        "job_name": f"mover.{channel.type}.{panda_id}",
        "prod_source_label": "ddm",
        "processing_type": MOVER,
        "transformation": TRANSFORMATION,
        "job_parameters": " ".join(words),
        "assigned_priority": PRIORITY,
        "max_attempt": 1,  # the transfer counts the attempts
    }
    spec = JobSpec(fields=fields, vo=_vo(site, taken[0].vo), site=site)
    owner = identity.person(OWNER)
    states = write_jobs([spec], [panda_id], owner=owner, known=Known(), now=now)
    record_births([panda_id], states, actor=OWNER, now=now)
    JobFile.objects.bulk_create(
        JobFile(
            job_id=panda_id,
            type=JobFile.Type.OUTPUT,
            scope=t.file.scope,
            lfn=t.file.lfn,
            file=t.file,
            status=JobFile.Status.FAILED,
        )
        for t in taken
    )
    return panda_id


def _vo(site: Site, name: str) -> VO:
    """That of the data where the site has it, else one that the site has."""
    of_site = list(site.vos.order_by("name")) or list(VO.objects.order_by("name"))
    return next((vo for vo in of_site if vo.name == name), of_site[0])
