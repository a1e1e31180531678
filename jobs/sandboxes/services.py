"""The book of sandboxes: who owns which, what each may keep, and for how long."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable
from functools import partial

from django.conf import settings
from django.contrib.auth.models import AbstractUser, User
from django.db import IntegrityError, transaction
from django.db.models import Sum

from jobs.models import Sandbox
from jobs.sandboxes import shelf
from jobs.sandboxes.names import MB, NAME
from jobs.sandboxes.shelf import Whole
from pandasite.base.errors import Conflict, TooMuch
from pandasite.base.rounds import Round

BATCH = 100  # of a round
STRAYS = 1000  # files that are looked up in a round
STRAY_AGE = dt.timedelta(days=1)  # no upload takes so long
NOTED = dt.timedelta(hours=1)  # how exact the last use is known
SECONDS = 10.0


def find(*, owner: User, size: int, crc32: int, now: dt.datetime) -> str:
    """The name of an archive of this owner that is the same, empty when there is none."""
    same = Sandbox.objects.filter(owner=owner, size=size, crc32=crc32).order_by("-last_used_at")
    name = next((name for name in same.values_list("name", flat=True) if shelf.is_there(name)), "")
    # One that goes at this moment is none.
    return name if name and touch([name], now=now, always=True) else ""


def touch(names: Iterable[str], *, now: dt.datetime, always: bool = False) -> int:
    """They are used: they stay for SANDBOX_DAYS more. Returns how many rows were changed."""
    used = Sandbox.objects.filter(name__in=list(names))
    if not always:
        used = used.filter(last_used_at__lt=now - NOTED)
    return used.update(last_used_at=now)


def add(*, owner: User, name: str, whole: Whole, crc32: int, now: dt.datetime) -> Sandbox:
    """Put what has arrived on the shelf under its name, and into the book, or neither.

    The same again is the answer of the first time. Conflict for a name that is taken, TooMuch over
    the quota; NoRoom.
    """
    try:
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one upload at a time
            there = Sandbox.objects.select_for_update().filter(name=name).first()
            if there is not None:
                return _again(there, owner, whole, now)
            _must_fit(owner, whole.size)
            row = Sandbox.objects.create(
                name=name, owner=owner, size=whole.size, crc32=crc32, sha256=whole.sha256,
                created_at=now, last_used_at=now,
            )  # fmt: skip
            shelf.name_it(whole, name)
            return row
    except IntegrityError as error:  # another owner was faster
        raise _taken(name) from error


def _again(there: Sandbox, owner: User, whole: Whole, now: dt.datetime) -> Sandbox:
    if there.owner_id != owner.pk or there.sha256 != whole.sha256:
        raise _taken(there.name)
    if not shelf.is_there(there.name):
        shelf.name_it(whole, there.name)
    touch([there.name], now=now)
    return there


def _taken(name: str) -> Conflict:
    return Conflict(f"file {name} is there already, with another content", code="name_taken")


def _must_fit(owner: User, size: int) -> None:
    most = settings.PANDASITE["SANDBOX_QUOTA_MB"] * MB
    has = Sandbox.objects.filter(owner=owner).aggregate(sum=Sum("size"))["sum"] or 0
    if has + size > most:
        raise TooMuch(
            f"you have {has} bytes of sandboxes, {size} more are over your quota of {most}; those "
            f"that are not used for {settings.PANDASITE['SANDBOX_DAYS']} days go by themselves",
            code="over_quota",
            limit={"max_bytes": most},
        )


def not_of(owner: AbstractUser, names: Iterable[str]) -> set[str]:
    """Those of the names that are no sandboxes of this owner."""
    wanted = set(names)
    if not wanted:
        return wanted
    own = Sandbox.objects.filter(owner_id=owner.pk, name__in=wanted)
    return wanted - set(own.values_list("name", flat=True))


def forget(now: dt.datetime) -> int:
    """One round: archives that nobody has used for SANDBOX_DAYS, and files without a row."""
    work = Round(seconds=SECONDS)
    before = now - dt.timedelta(days=settings.PANDASITE["SANDBOX_DAYS"])
    unused = Sandbox.objects.filter(last_used_at__lt=before).order_by("last_used_at")
    for key, name in list(unused.values_list("pk", "name")[:BATCH]):
        if work.over:
            break
        work.do(f"sandbox {name}", partial(_forget_one, key, before))
    work.do("stray sandboxes", partial(_clear_strays, now - STRAY_AGE))
    return work.end()


def _forget_one(key: int, before: dt.datetime) -> int:
    """The file goes first, while nobody else can take the name."""
    with transaction.atomic():
        row = Sandbox.objects.select_for_update().filter(pk=key, last_used_at__lt=before).first()
        if row is None:
            return 0  # another round was faster, or it is used again
        shelf.remove(row.name)
        row.delete()
    return 1


def _clear_strays(before: dt.datetime) -> int:
    """What a crash, or an account that is gone, has left; some of all files in each round."""
    lying = shelf.lying(since_before=before)
    some = random.sample(lying, min(STRAYS, len(lying)))
    known = set(Sandbox.objects.filter(name__in=some).values_list("name", flat=True))
    strays = [name for name in some if name not in known and _is_ours(name)]
    for name in strays:
        shelf.remove(name)
    return len(strays)


def _is_ours(name: str) -> bool:
    """What else somebody keeps in the folder stays."""
    return bool(NAME.fullmatch(name)) or (name.startswith(".") and name.endswith(shelf.PART))
