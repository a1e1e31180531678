"""What a DDM elsewhere says has happened, recorded set by set.

Safe in any order and any number of times: an id that was recorded changes nothing, and a file that
is there stays there, whatever is said of an earlier failure. Only the sweeps over jobs act on it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from datasets.ddm import arrivals
from datasets.ddm.arrivals import Pair
from datasets.models import Dataset, StorageElement
from datasets.registry import Name
from pandasite.base.errors import DomainError, NotThere, Unprocessable, field_error
from pandasite.base.nudge import nudge

log = logging.getLogger(__name__)

KINDS = ("file_arrived", "file_failed", "dataset_arrived", "dataset_failed")
RECORDED, REPLAYED, IGNORED = "recorded", "replayed", "ignored"
OUTCOMES = (RECORDED, REPLAYED, IGNORED)


@dataclass(frozen=True, kw_only=True)
class News:
    """One thing that happened at a storage element, to a file or to all of a dataset.

    `size` (bytes) and `adler32` are of what arrived, `permanent`: it will never come.
    """

    id: str
    kind: str
    storage: str
    scope: str = ""
    lfn: str = ""
    dataset: str = ""
    size: int | None = None
    adler32: str | None = None
    reason: str = ""
    permanent: bool = False

    @property
    def name(self) -> Name:
        return self.scope, self.lfn


@dataclass
class _Facts:
    """What the names of some news stand for."""

    storages: Mapping[str, int]
    files: Mapping[Name, tuple[int, int, str]]  # key, size, adler32
    datasets: Mapping[str, int]
    members: Mapping[int, list[tuple[int, int]]] = field(default_factory=dict)  # (file, size)


def record(news: Sequence[News], *, sender: str, now: dt.datetime) -> list[str | DomainError]:
    """Record them in one transaction; what became of each, in their order: one of OUTCOMES.

    Or why it cannot be recorded: NotThere for an unknown name, Unprocessable for content that is
    not what the catalogue says. Such news may come again once that is mended.
    """
    facts = _look_up(news)
    faults = {nr: fault for nr, one in enumerate(news) if (fault := _fault(one, facts))}
    for fault in faults.values():
        log.warning("ddm_news_refused", extra={"sender": sender, "error": fault.message})
    with transaction.atomic():
        good = {one.id for nr, one in enumerate(news) if nr not in faults}
        fresh = _remember(good, sender=sender, now=now)
        outcomes = _apply(
            [one for nr, one in enumerate(news) if nr not in faults], fresh, facts, now
        )
        _note_ignored(outcomes, sender)
    nudge("jobs.activate")
    nudge("jobs.complete_transfers")
    told: set[str] = set()
    answers: list[str | DomainError] = []
    for nr, one in enumerate(news):
        again = one.id not in fresh or one.id in told
        answers.append(faults.get(nr) or (REPLAYED if again else outcomes[one.id]))
        if nr not in faults:
            told.add(one.id)
    return answers


# -- names -------------------------------------------------------------------------------------

_FILES = """
SELECT f.scope, f.lfn, f.id, f.size, f.adler32 FROM datasets_file f
JOIN unnest(%s::text[], %s::text[]) AS s (scope, lfn) ON f.scope = s.scope AND f.lfn = s.lfn
"""
_MEMBERS = """
SELECT m.dataset_id, f.id, f.size FROM datasets_datasetfile m
JOIN datasets_file f ON f.id = m.file_id WHERE m.dataset_id = ANY(%s)
"""


def _look_up(news: Sequence[News]) -> _Facts:
    storages = StorageElement.objects.filter(name__in={one.storage for one in news})
    names = sorted({one.name for one in news if one.kind.startswith("file")})
    called = {one.dataset for one in news if one.kind.startswith("dataset")}
    with connection.cursor() as cursor:
        cursor.execute(_FILES, [[scope for scope, _ in names], [lfn for _, lfn in names]])
        files = {(scope, lfn): (key, size, ad) for scope, lfn, key, size, ad in cursor.fetchall()}
    datasets = dict(Dataset.objects.filter(name__in=called).values_list("name", "pk"))
    members: dict[int, list[tuple[int, int]]] = defaultdict(list)
    if datasets:
        with connection.cursor() as cursor:
            cursor.execute(_MEMBERS, [list(datasets.values())])
            for dataset, file, size in cursor.fetchall():
                members[dataset].append((file, size))
    return _Facts(
        storages=dict(storages.values_list("name", "pk")),
        files=files,
        datasets=datasets,
        members=members,
    )


def _fault(one: News, facts: _Facts) -> DomainError | None:
    if one.storage not in facts.storages:
        return _unknown("storage", f"there is no storage element {one.storage}")
    if one.kind.startswith("dataset"):
        known = one.dataset in facts.datasets
        return None if known else _unknown("dataset", f"there is no dataset {one.dataset}")
    if one.name not in facts.files:
        return _unknown("lfn", f"there is no file {one.scope}:{one.lfn}")
    return _other_content(one, facts) if one.kind == "file_arrived" else None


def _unknown(name: str, message: str) -> NotThere:
    return NotThere(message, fields=[field_error(name, message, code="not_found")])


def _other_content(one: News, facts: _Facts) -> Unprocessable | None:
    _key, size, adler32 = facts.files[one.name]
    if (one.size, one.adler32) == (size, adler32):
        return None
    field_name = "size" if one.size != size else "adler32"
    message = (
        f"{one.scope}:{one.lfn} is said to have {one.size} bytes and adler32 {one.adler32}, "
        f"the catalogue says {size} and {adler32}"
    )
    error = field_error(field_name, message, code="wrong_content")
    return Unprocessable(message, code="wrong_content", fields=[error])


# -- what is recorded --------------------------------------------------------------------------

_REMEMBER = """
INSERT INTO datasets_receivednews (sender, news_id, outcome, received_at)
SELECT %s, id, 'recorded', %s FROM unnest(%s::text[]) AS id ORDER BY id
ON CONFLICT (sender, news_id) DO NOTHING RETURNING news_id
"""


def _remember(ids: Iterable[str], *, sender: str, now: dt.datetime) -> set[str]:
    """The ids that were not there yet; who sends one at the same time waits, and has it not."""
    wanted = sorted(set(ids))
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [sender, now, wanted])
        return {news_id for (news_id,) in cursor.fetchall()}


def _apply(
    news: Sequence[News], fresh: set[str], facts: _Facts, now: dt.datetime
) -> dict[str, str]:
    """What became of the fresh ones, by id. Arrivals first: a failure said beside one is old."""
    by_id = {one.id: one for one in reversed(news) if one.id in fresh}  # the first of an id counts
    came: dict[Pair, int] = {}
    failed: dict[Pair, tuple[str, bool]] = {}
    pairs: dict[str, list[Pair]] = {}
    for one in by_id.values():
        se = facts.storages[one.storage]
        sizes = _files_of(one, facts)
        pairs[one.id] = [(file, se) for file, _size in sizes]
        if one.kind.endswith("arrived"):
            came.update({(file, se): size for file, size in sizes})
        else:
            why = f"the data management system: {one.reason or 'no reason given'}"
            failed.update({(file, se): (why, one.permanent) for file, _size in sizes})
    arrivals.arrived(came, now=now)
    hit = arrivals.failed(failed, now=now)
    return {
        one.id: RECORDED
        if one.kind.endswith("arrived") or not hit.isdisjoint(pairs[one.id])
        else IGNORED
        for one in by_id.values()
    }


def _files_of(one: News, facts: _Facts) -> list[tuple[int, int]]:
    if one.kind.startswith("file"):
        key, size, _adler32 = facts.files[one.name]
        return [(key, size)]
    return facts.members.get(facts.datasets[one.dataset], [])


_IGNORED = """
UPDATE datasets_receivednews SET outcome = 'ignored' WHERE sender = %s AND news_id = ANY(%s)
"""


def _note_ignored(outcomes: Mapping[str, str], sender: str) -> None:
    ignored = sorted(news_id for news_id, outcome in outcomes.items() if outcome == IGNORED)
    if ignored:
        log.info("ddm_news_ignored", extra={"sender": sender, "news": len(ignored)})
        with connection.cursor() as cursor:
            cursor.execute(_IGNORED, [sender, ignored])
