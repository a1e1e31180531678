"""Rucio behind the interface: datasets and files are DIDs, a wish is a replication rule.

A file becomes known there by its first replica, which is why `register` is told where they are.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from django.conf import settings

from datasets.ddm.contract import Arrived, DdmError, DdmLater, DdmRefused, Name, NewFile, Seen, Wish
from datasets.ddm.rucio_http import Exists, Line, Talk, Tokens, Unknown, path_of

log = logging.getLogger(__name__)
BULK = 500  # files in a call
T = TypeVar("T")
GIVEN_UP = {"SUSPENDED": "Rucio has suspended the rule"}
STUCK = "Rucio calls it stuck"
URGENT, NORMAL = 1000, 3  # our priorities are any numbers, Rucio's are 1 to 5


class Rucio:
    """Keeps contract.DataManagement; a reference is the id of a rule."""

    def __init__(self) -> None:
        self.server = settings.PANDASITE_RUCIO
        self.tokens = Tokens(self.server)

    def register(
        self,
        dataset: str,
        files: Sequence[NewFile],
        *,
        scope: str,
        replicas: Mapping[Name, Sequence[str]],
    ) -> None:
        """What is a member there already is not told again: a dataset may grow for days."""
        with Talk(self.tokens) as talk:
            known = _members(talk, scope, dataset)
            if known is None:
                _make(talk, scope, dataset)
            new = [file for file in files if file.name not in (known or {})]
            for some in _bulks(new):
                _add_replicas(talk, some, replicas)
                _attach(talk, scope, dataset, some)
            if new:
                known = _members(talk, scope, dataset)
            _check_content(files, known or {})

    def subscribe(self, wish: Wish) -> str:
        rule = {
            "dids": [{"scope": wish.scope, "name": wish.dataset}],
            "account": self.server.account,
            "copies": 1,
            "rse_expression": wish.storage,
            "grouping": "DATASET",
            "priority": priority_of(wish.priority),
            "comment": f"pandasite: {wish.activity} of {wish.owner or 'the system'}"[:255],
        }
        activity = (self.server.activities or {}).get(wish.activity)
        if activity:
            rule["activity"] = activity
        with Talk(self.tokens) as talk:
            try:
                made = talk.call("POST", "/rules/", rule)
            except Exists:
                return self._revive(talk, wish)
        reference = made[0].get("value") if len(made) == 1 else None
        if not isinstance(reference, str) or not reference:
            raise DdmError("Rucio did not say which rule it made")
        return reference

    def _revive(self, talk: Talk, wish: Wish) -> str:
        """Our rule of this wish, which is there: one that was on its way out stays."""
        for one in talk.get(path_of("dids", wish.scope, wish.dataset, "rules")):
            if one.get("account") == self.server.account and (
                one.get("rse_expression") == wish.storage
            ):
                options = {"lifetime": None, "priority": priority_of(wish.priority)}
                _change(talk, str(one["id"]), options)
                return str(one["id"])
        raise DdmRefused(f"Rucio has a rule for {wish.dataset} at {wish.storage} that is not ours")

    def cancel(self, reference: str, *, reason: str) -> None:
        """The rule has an end: within the hour Rucio removes it, and copies that nobody else has
        a rule for."""
        with Talk(self.tokens) as talk:
            try:
                talk.call("DELETE", path_of("rules", reference), {"purge_replicas": None})
            except Unknown:
                return

    def set_priority(self, reference: str, priority: int) -> None:
        with Talk(self.tokens) as talk:
            try:
                _change(talk, reference, {"priority": priority_of(priority)})
            except Unknown:
                return  # `states` tells that it is gone

    def states(self, references: Collection[str]) -> Mapping[str, Seen]:
        """As many as there is time for, in their order; a rule that is gone is a wish that is
        over. What was seen before trouble is told; one that is refused holds up no other."""
        seen: dict[str, Seen] = {}
        with Talk(self.tokens) as talk:
            for reference in references:
                if seen and talk.left <= 0:
                    break
                try:
                    seen[reference] = _seen(talk, reference)
                except (DdmLater, DdmRefused) as error:
                    log.warning("ddm_later", extra={"ddm": "rucio", "error": str(error)})
                except DdmError as error:
                    if not seen:
                        raise
                    log.warning("ddm_unavailable", extra={"ddm": "rucio", "error": str(error)})
                    break
        return seen

    def replicas(self, names: Collection[Name]) -> Mapping[Name, Sequence[str]]:
        found: dict[Name, list[str]] = {}
        with Talk(self.tokens) as talk:
            for some in _bulks(sorted(names)):
                dids = [{"scope": scope, "name": lfn} for scope, lfn in some]
                for line in talk.call("POST", "/replicas/list", {"dids": dids}):
                    states = line.get("states") or {}
                    good = sorted(rse for rse, state in states.items() if state == "AVAILABLE")
                    if good:
                        found[_name(line)] = good
        return found


def priority_of(priority: int) -> int:
    """Rucio's for ours.

    >>> [priority_of(one) for one in (-5000, -1, 0, 999, 1000, 200_000)]
    [1, 2, 3, 4, 5, 5]
    """
    if priority < 0:
        return 1 if priority <= -URGENT else 2
    if priority == 0:
        return NORMAL
    return 5 if priority >= URGENT else 4


def _members(talk: Talk, scope: str, dataset: str) -> dict[Name, Line] | None:
    """The files of the dataset there; None when there is no such dataset."""
    try:
        lines = talk.get(path_of("dids", scope, dataset, "files"))
    except Unknown:
        return None
    return {_name(line): line for line in lines}


def _make(talk: Talk, scope: str, dataset: str) -> None:
    try:
        talk.call("POST", path_of("dids", scope, dataset), {"type": "DATASET"})
    except Exists:
        return


def _add_replicas(
    talk: Talk, files: Sequence[NewFile], replicas: Mapping[Name, Sequence[str]]
) -> None:
    """Where the files are, which makes them known; what is known already stays as it is."""
    at: dict[str, list[Line]] = defaultdict(list)
    for file in files:
        for rse in replicas.get(file.name, ()):
            at[rse].append(_did(file))
    for rse, dids in sorted(at.items()):
        try:
            talk.call("POST", "/replicas", {"rse": rse, "files": dids, "ignore_availability": True})
        except Exists:
            continue
        except Unknown as error:  # a storage element of ours alone; there may be others
            if error.kind != "RSENotFound":
                raise
            log.info("ddm_unknown_storage", extra={"ddm": "rucio", "error": str(error)})


def _did(file: NewFile) -> Line:
    meta: Line = {"guid": file.guid.replace("-", "")}
    if file.events is not None:
        meta["events"] = file.events
    return {
        "scope": file.scope,
        "name": file.lfn,
        "bytes": file.size,
        "adler32": file.adler32,
        "meta": meta,
    }


def _attach(talk: Talk, scope: str, dataset: str, files: Sequence[NewFile]) -> None:
    dids = [{"scope": file.scope, "name": file.lfn} for file in files]
    attachment = {"scope": scope, "name": dataset, "dids": dids}
    talk.call("POST", "/dids/attachments", {"attachments": [attachment], "ignore_duplicate": True})


def _check_content(files: Sequence[NewFile], known: Mapping[Name, Line]) -> None:
    """A name stands for the same bytes on both sides, or nothing that arrives is believed."""
    for file in files:
        there = known.get(file.name)
        if there is None:
            raise DdmLater(f"Rucio did not take {file.scope}:{file.lfn} into its dataset")
        if (there.get("bytes"), _adler32(there)) != (file.size, file.adler32):
            raise DdmRefused(
                f"Rucio has {file.scope}:{file.lfn} with {there.get('bytes')} bytes and adler32 "
                f"{_adler32(there) or 'unknown'}, the catalogue says {file.size} and {file.adler32}"
            )


def _adler32(line: Line) -> str:
    """As 8 hex digits, '' when there is none."""
    said = str(line.get("adler32") or "").lower()
    return said and said.zfill(8)


def _change(talk: Talk, reference: str, options: Line) -> None:
    talk.call("PUT", path_of("rules", reference), {"options": options})


def _seen(talk: Talk, reference: str) -> Seen:
    try:
        rule = talk.get(path_of("rules", reference))[0]
    except Unknown as error:
        if error.kind != "RuleNotFound":
            raise DdmError(str(error)) from error  # another server answers there
        return Seen(over=f"Rucio has no rule {reference} any more")
    except IndexError:
        raise DdmError("Rucio told nothing of a rule") from None
    try:
        state, scope, name = rule["state"], rule["scope"], rule["name"]
        moved = rule["locks_ok_cnt"] or rule["locks_stuck_cnt"]
    except KeyError as error:
        raise DdmError(f"Rucio told a rule without {error}") from error
    over = GIVEN_UP.get(state, "")
    why = str(rule.get("error") or "")
    if over and why:
        over = f"{over}: {why}"
    if not moved:
        return Seen(over=over[:255])
    locks = talk.get(path_of("rules", reference, "locks"))
    members = _members(talk, scope, name) or {}
    return Seen(
        arrived=list(_arrived(locks, members)),
        failed={_name(one): why or STUCK for one in locks if one.get("state") == "STUCK"},
        over=over[:255],
    )


def _arrived(locks: Sequence[Line], members: Mapping[Name, Line]) -> Iterator[Arrived]:
    for lock in locks:
        facts = members.get(_name(lock))
        if lock.get("state") == "OK" and facts is not None:
            size = int(facts.get("bytes") or 0)
            yield Arrived(name=_name(lock), size=size, adler32=_adler32(facts))


def _name(line: Line) -> Name:
    try:
        return str(line["scope"]), str(line["name"])
    except KeyError as error:
        raise DdmError(f"Rucio told a file without {error}") from error


def _bulks(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(all_of_them), BULK):
        yield all_of_them[start : start + BULK]
