"""What a grid-mapfile says, done: identities, users and their roles. Twice is as once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import Group, User
from django.db import transaction

from brokerage.models import Site
from jobs.identity import pilot_account
from pandasite.base.audit import record
from pandasite.base.errors import BadInput
from pandasite.identity.models import Identity
from pandasite.identity.x509.gridmap import Entry

TOLD_MOST = 100  # names in the audit line


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """What has changed: users and identities by their names."""

    users: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    roles: int = 0

    def in_words(self) -> str:
        return (
            f"{len(self.new)} new, {len(self.moved)} now of another user, {len(self.pruned)} taken"
            f" away; {len(self.users)} users made, {self.roles} roles given"
        )


def apply(
    entries: Sequence[Entry], *, prune: bool, actor: str, reason: str, now: dt.datetime
) -> Mapped:
    """All of it or nothing; BadInput for a site or a role (a group) that is not there.

    `prune`: certificates of the authorities in the file that are not in it are nobody's from now
    on; users and their roles stay.
    """
    with transaction.atomic():
        users, made = _users(entries)
        wanted = {(entry.issuer, entry.subject): users[entry.account] for entry in entries}
        there = _identities(entries)
        new = [key for key in wanted if key not in there]
        moved = [key for key, user in wanted.items() if there.get(key, user.pk) != user.pk]
        _write(wanted, [*new, *moved], now=now)
        gone = [key for key in there if key not in wanted] if prune else []
        _take_away(gone)
        mapped = Mapped(
            users=made, new=_subjects(new), moved=_subjects(moved), pruned=_subjects(gone),
            roles=_give_roles(entries, users),
        )  # fmt: skip
        if made or new or moved or gone or mapped.roles:
            _note(mapped, actor=actor, reason=reason, now=now)
    return mapped


def _users(entries: Iterable[Entry]) -> tuple[dict[str, User], list[str]]:
    """Each account's user, those of pilots among them; and whom had to be made."""
    sites = {entry.site: entry for entry in entries if entry.site}
    there = {site.name: site for site in Site.objects.filter(name__in=sites)}
    for name, entry in sites.items():
        if name not in there:
            raise BadInput(f"line {entry.line}: there is no site {name}")
    users = {f"pilot@{name}": pilot_account(site).user for name, site in there.items()}
    people = {entry.account for entry in entries if not entry.site}
    known = set(User.objects.filter(username__in=people).values_list("username", flat=True))
    made = [User(username=name) for name in sorted(people - known)]
    for user in made:
        user.set_unusable_password()
    User.objects.bulk_create(made, ignore_conflicts=True)
    users |= {user.username: user for user in User.objects.filter(username__in=people)}
    return users, [user.username for user in made]


def _identities(entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    issuers = {entry.issuer for entry in entries}
    rows = Identity.objects.filter(issuer__in=issuers).select_for_update().order_by("pk")
    return {(row.issuer, row.subject): row.user_id for row in rows}


def _write(
    wanted: Mapping[tuple[str, str], User], keys: Iterable[tuple[str, str]], *, now: dt.datetime
) -> None:
    rows = [
        Identity(issuer=issuer, subject=subject, user=wanted[issuer, subject], created_at=now)
        for issuer, subject in keys
    ]
    Identity.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["issuer", "subject"],
        update_fields=["user"],
        batch_size=1000,
    )


def _take_away(keys: Sequence[tuple[str, str]]) -> None:
    for issuer in {issuer for issuer, _subject in keys}:
        subjects = [subject for of, subject in keys if of == issuer]
        Identity.objects.filter(issuer=issuer, subject__in=subjects).delete()


def _give_roles(entries: Iterable[Entry], users: Mapping[str, User]) -> int:
    """Roles that users did not have; none is ever taken away."""
    wanted = {(users[entry.account].pk, role): entry for entry in entries for role in entry.roles}
    groups = dict(Group.objects.values_list("name", "pk"))
    for (_user, role), entry in wanted.items():
        if role not in groups:
            raise BadInput(f"line {entry.line}: {role!r} is none of {', '.join(sorted(groups))}")
    through = User.groups.through
    pairs = {(user, groups[role]) for user, role in wanted}
    had = set(
        through.objects.filter(user_id__in={user for user, _ in pairs}).values_list(
            "user_id", "group_id"
        )
    )
    missing = [through(user_id=user, group_id=group) for user, group in sorted(pairs - had)]
    through.objects.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def _subjects(keys: Iterable[tuple[str, str]]) -> list[str]:
    return [subject for _issuer, subject in keys]


def _note(mapped: Mapped, *, actor: str, reason: str, now: dt.datetime) -> None:
    names = {"new": mapped.new, "moved": mapped.moved, "pruned": mapped.pruned}
    facts = {name: values[:TOLD_MOST] for name, values in names.items()}
    record(
        actor=actor,
        action="gridmap",
        subject=mapped.in_words(),
        reason=reason,
        now=now,
        facts=facts,
    )
