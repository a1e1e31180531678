"""The grid-mapfile: which certificate is which user's, and with which roles. Reading only.

    #issuer "/DC=ch/DC=test/CN=Test CA"
    "/DC=ch/DC=test/OU=Users/CN=Alice" alice
    "/DC=ch/DC=test/OU=Users/CN=Bob" bob shifters,production-managers
    "/DC=ch/DC=test/OU=Robots/CN=factory" pilot@CERN

A line is a name and an account, as ever, and then roles, if any. The authority stands above the
lines it is for, or is given with the file: a name alone is nobody's, since any authority could have
issued it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pandasite.base.errors import BadInput
from pandasite.identity.x509 import names

ISSUER: Final = "#issuer"
PILOT: Final = "pilot@"
LINES_MOST: Final = 100_000
ACCOUNT: Final = re.compile(r"[\w@+-][\w.@+-]{0,149}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line: names in RFC 4514, the account, the roles as they are called here."""

    line: int
    issuer: str
    subject: str
    account: str
    roles: tuple[str, ...] = ()

    @property
    def site(self) -> str:
        """Of the pilots that this certificate is for; empty for people."""
        return self.account.removeprefix(PILOT) if self.account.startswith(PILOT) else ""


def parse(text: str, *, issuer: str = "") -> list[Entry]:
    """All lines, the last of those that name one certificate. BadInput names the line."""
    lines = text.splitlines()
    if len(lines) > LINES_MOST:
        raise BadInput(f"the file has {len(lines)} lines, {LINES_MOST} may be")
    found = _entries(lines, names.read(issuer) if issuer else "")
    return list({(entry.issuer, entry.subject): entry for entry in found}.values())


def _entries(lines: Sequence[str], issuer: str) -> Iterator[Entry]:
    for number, line in enumerate(lines, start=1):
        try:
            words = _words(line.strip())
            if words[:1] == [ISSUER]:
                issuer = _issuer(words)
            elif words:
                yield _entry(number, issuer, words)
        except (BadInput, ValueError) as error:
            raise BadInput(f"line {number}: {error}") from None


def _words(line: str) -> list[str]:
    if line.startswith("#") and line.split()[0] != ISSUER:
        return []
    return shlex.split(line)


def _issuer(words: list[str]) -> str:
    if len(words) != 2:
        raise BadInput(f'{ISSUER} is followed by one name: {ISSUER} "/DC=ch/CN=Some CA"')
    return names.read(words[1])


def _entry(number: int, issuer: str, words: list[str]) -> Entry:
    if not issuer:
        raise BadInput(f"no authority is named: put {ISSUER} above it, or give --issuer")
    if not 2 <= len(words) <= 3:
        raise BadInput('a line is "NAME" account, and roles with commas, if any')
    # Of several accounts the first is the one that is taken where nobody asks for another.
    account = words[1].split(",")[0]
    if account.startswith("."):
        raise BadInput(f"{account} is a pool of accounts: name the user")
    if not ACCOUNT.fullmatch(account):
        raise BadInput(f"{account!r} is no name of an account")
    roles = tuple(role.replace("-", " ") for role in words[2].split(",")) if words[2:] else ()
    if roles and account.startswith(PILOT):
        raise BadInput("pilots have no roles")
    subject = names.read(words[0])
    return Entry(line=number, issuer=issuer, subject=subject, account=account, roles=roles)
