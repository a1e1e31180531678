"""Rucio says no, says nothing, or somebody else answers in its place; and who we are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from datasets.ddm import rucio, rucio_http
from datasets.ddm.choice import RucioServer
from datasets.ddm.contract import DdmError, DdmLater, DdmRefused, Wish
from tests.datasets.ddm.scripted import CLOSE, lines, refusal
from tests.datasets.servers import Raw, says

WISH = Wish(dataset="d", scope="mc09", storage="NEAR")
RULE = {"scope": "mc09", "name": "d", "state": "OK", "locks_ok_cnt": 0, "locks_stuck_cnt": 0}

# -- no, and not now ---------------------------------------------------------------------------

REFUSALS = {
    "InvalidRSEExpression": ("409 Conflict", DdmRefused),
    "ScopeNotFound": ("404 Not Found", DdmRefused),
    "AccessDenied": ("401 Unauthorized", DdmRefused),
    "InvalidObject": ("500 Internal Server Error", DdmRefused),
    "FileConsistencyMismatch": ("500 Internal Server Error", DdmRefused),
    "InsufficientAccountLimit": ("409 Conflict", DdmLater),
    "ReplicationRuleCreationTemporaryFailed": ("409 Conflict", DdmLater),
    "ResourceTemporaryUnavailable": ("503 Service Unavailable", DdmLater),
    "DatabaseException": ("500 Internal Server Error", DdmLater),
    "CannotAuthenticate": ("401 Unauthorized", DdmError),
}


@pytest.mark.parametrize(
    ("kind", "status", "error"), [(k, *v) for k, v in REFUSALS.items()], ids=REFUSALS
)
def test_a_no_is_told_from_a_not_now_and_says_rucios_words(script, system, kind, status, error):
    script.answers["POST /rules/"] = refusal(status, kind)

    with pytest.raises(DdmError, match=f"Rucio: {kind}: so it is") as raised:
        system.subscribe(WISH)

    wanted = [one for one in (DdmLater, DdmRefused) if one is error]
    assert [one for one in (DdmLater, DdmRefused) if isinstance(raised.value, one)] == wanted


def nothing(server: Raw, _connection: Any, _request: bytes) -> None:
    server.ending.wait(10)


def drips(server: Raw, connection: Any, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not server.ending.wait(0.05):
        connection.sendall(b"x")


def endless(_server: Raw, connection: Any, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        connection.sendall(b"x" * 1_048_576)


def no_http(_server: Raw, connection: Any, _request: bytes) -> None:
    connection.sendall(b"\x00\x01 what is this\r\n\r\n")


def breaks_off(_server: Raw, connection: Any, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3900\r\n\r\n[1")


HTML = b"<html><body>Down for maintenance</body></html>"
NONSENSE: dict[str, tuple[Callable[..., None], str]] = {
    "500": (says("500 Internal Server Error", more=CLOSE), "answered 500"),
    "html": (says("200 OK", HTML, CLOSE, "text/html"), "no JSON"),
    "404 of a proxy": (says("404 Not Found", HTML, CLOSE, "text/html"), "answered 404"),
    "a list of numbers": (lines([1, 2]), "without"),
    "null": (lines(None), "without"),
    "nothing": (says("200 OK", more=CLOSE), "nothing"),
    "redirect": (says("302 Found", more=f"{CLOSE}Location: http://127.0.0.1:9/\r\n"), "302"),
    "never": (nothing, "timed out"),
    "drips": (drips, "timed out"),
    "a gigabyte": (endless, "more than"),
    "no http": (no_http, "cannot be reached"),
    "breaks off": (breaks_off, "cannot be reached"),
}


@pytest.mark.parametrize(("answer", "said"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_a_system_that_is_away(script, system, monkeypatch, answer, said):
    monkeypatch.setattr(rucio_http, "SECONDS", 0.4)
    script.answers |= {"GET /rules/r1": answer, "POST /rules/": answer}

    for verb in (lambda: system.states(["r1"]), lambda: system.subscribe(WISH)):
        with pytest.raises(DdmError, match="Rucio") as raised:
            verb()
        assert not isinstance(raised.value, DdmRefused)
    script.answers["GET /rules/r1"] = answer
    with pytest.raises(DdmError, match=said):
        system.states(["r1"])


def test_a_server_that_is_not_there_is_away(settings, system):
    settings.PANDASITE_RUCIO = RucioServer(url="http://127.0.0.1:9", account="panda")

    with pytest.raises(DdmError, match="Rucio cannot be reached: .*refused"):
        rucio.Rucio().states(["r1"])


# -- who we are --------------------------------------------------------------------------------


def test_one_token_serves_until_it_is_refused(script, system):
    script.answers["GET /rules/r1"] = [
        lines(RULE),
        refusal("401 Unauthorized", "CannotAuthenticate"),
        lines(RULE),
    ]

    for _ in range(2):
        system.states(["r1"])

    assert script.asked.count("GET /auth/userpass") == 2


def test_a_token_of_the_secret_is_used_as_it_is(script, system, monkeypatch):
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_RUCIO", "bearer canary-from-a-file")
    script.answers["GET /rules/r1"] = lines(RULE)

    system.states(["r1"])

    assert script.asked == ["GET /rules/r1"]


def test_credentials_that_are_missing_are_named(system, monkeypatch):
    monkeypatch.delenv("PANDASITE_STORAGE_SECRET_RUCIO")

    with pytest.raises(DdmError, match="there is no secret 'rucio'"):
        system.states(["r1"])
