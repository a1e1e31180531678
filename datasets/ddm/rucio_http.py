"""Rucio's HTTP interface: a session with a token, bounded in time and bytes, errors as sentences.

By plain requests: Rucio's own client library holds requests and urllib3 at old versions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote

import requests
import urllib3
from django.conf import settings

from datasets.ddm.choice import RucioServer
from datasets.ddm.contract import DdmError, DdmLater, DdmRefused
from datasets.storage.base import StorageError
from datasets.storage.secrets import Secret, read_secret

SECONDS = 10.0  # for a verb: some of them fit into a sweep
CONNECT_SECONDS = 5.0
ANSWER_MAX = 16 * 1024 * 1024  # bytes: the locks of some 50,000 files
TOKEN_SECONDS = 600.0  # Rucio's tokens live for an hour
# Of a 4xx these pass by themselves; of a 5xx those come again.
PASSING = {
    "InsufficientAccountLimit",
    "ReplicationRuleCreationTemporaryFailed",
    "RequestNotFound",
    "ResourceTemporaryUnavailable",
}
US = {"CannotAuthenticate", "IdentityError", "IdentityNotFound"}  # our account: nothing goes
FINAL = {"FileConsistencyMismatch", "InputValidationError", "InvalidObject"}
NOTHING = (b"", b"Created")  # what Rucio answers who has told it something
Line = dict[str, Any]


class Unknown(DdmRefused):
    """404: Rucio does not know it. `kind` is its name of the error: RuleNotFound and so on."""

    def __init__(self, text: str, *, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


class Exists(DdmRefused):
    """409 because it is there already."""


class Tokens:
    """The token of a server, asked for anew when it is old or was refused."""

    def __init__(self, server: RucioServer) -> None:
        self.server, self.token, self.until = server, "", 0.0

    def get(self, talk: Talk) -> str:
        secret = _credentials(self.server)
        if secret.token:
            return secret.token  # read from its file at each use: whoever renews it writes it there
        if not self.token or time.monotonic() > self.until:
            self.token = talk.log_in(secret)
            self.until = time.monotonic() + TOKEN_SECONDS
        return self.token

    def forget(self) -> bool:
        """Whether another one can be had."""
        had, self.token = self.token, ""
        return bool(had)


def _credentials(server: RucioServer) -> Secret:
    try:
        secret = read_secret(server.secret)
    except StorageError as error:
        raise DdmError(f"Rucio: {error}") from error
    if secret is None:
        raise DdmError("Rucio: PANDASITE_RUCIO_SECRET names no secret")
    return secret


class Talk:
    """Some calls that together may take SECONDS."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens, self.server = tokens, tokens.server
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy, no .netrc
        self.session.verify = self.server.ca or True
        self.end = time.monotonic() + SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    def log_in(self, secret: Secret) -> str:
        """A token for user and password."""
        headers = {
            "X-Rucio-Account": self.server.account,
            "X-Rucio-Username": secret.user,
            "X-Rucio-Password": secret.password,
        }
        url = f"{self.server.auth_url or self.server.url}/auth/userpass"
        with self._send("GET", url, headers=headers) as answer:
            token = answer.headers.get("X-Rucio-Auth-Token", "")
            if answer.status_code == 200 and token:
                return token
            raise _error("log in", answer.status_code, _body(answer, self.end))

    def get(self, path: str) -> list[Line]:
        """The lines of an answer; Unknown when there is no such thing."""
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None) -> list[Line]:
        """The JSON lines of a 2xx answer; else an error with Rucio's words."""
        status, text = self._call(method, path, body)
        if status == 401 and _kind(text)[0] != "AccessDenied" and self.tokens.forget():
            status, text = self._call(method, path, body)
        if not 200 <= status < 300:
            raise _error(f"{method} {path.partition('?')[0]}", status, text)
        if text.strip() in NOTHING:
            return []
        return list(_lines(text, path))

    def _call(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        headers = {
            "X-Rucio-Auth-Token": self.tokens.get(self),
            "X-Rucio-Account": self.server.account,
            "Accept": "application/x-json-stream, application/json;q=0.9, */*;q=0.1",
        }
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        with self._send(method, f"{self.server.url}{path}", headers=headers, data=data) as answer:
            return answer.status_code, _body(answer, self.end)

    @contextmanager
    def _send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: str | None = None
    ) -> Iterator[requests.Response]:
        if self.left <= 0:
            raise DdmError(f"Rucio took more than {SECONDS:g} s: the rest waits for the next round")
        read = max(0.1, min(self.left, settings.PANDASITE["DDM_CALL_SECONDS"]))
        try:
            with self.session.request(
                method,
                url,
                headers=dict(headers),
                data=data,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, read), read),
            ) as answer:
                yield answer
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise DdmError(f"Rucio timed out: no answer within {read:g} s") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise DdmError(f"Rucio cannot be reached: {_reason(error)}") from error


def path_of(*steps: str) -> str:
    """A path of these names, each quoted."""
    return "/" + "/".join(quote(step, safe="") for step in steps)


def _body(answer: requests.Response, end: float) -> bytes:
    body = bytearray()
    while piece := answer.raw.read1(65536, decode_content=True):  # whatever has come by now
        body += piece
        if len(body) > ANSWER_MAX:
            raise DdmError(f"Rucio answered with more than {ANSWER_MAX} bytes")
        if time.monotonic() > end:
            raise DdmError(f"Rucio timed out: more than {SECONDS:g} s for an answer")
    return bytes(body)


def _lines(text: bytes, path: str) -> Iterable[Line]:
    """A JSON document a line, or one document; a list of it counts as its lines."""
    try:
        for line in text.splitlines():
            if line.strip():
                said = json.loads(line)
                for one in said if isinstance(said, list) else [said]:
                    yield one if isinstance(one, dict) else {"value": one}
    except (ValueError, RecursionError) as error:
        raise DdmError(f"Rucio answered {path} with something that is no JSON") from error


def _kind(text: bytes) -> tuple[str, str]:
    """The class and the message of an error of Rucio's; ('', '') of anything else."""
    try:
        said = json.loads(text)
        return str(said["ExceptionClass"]), str(said["ExceptionMessage"])[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", ""


def _error(what: str, status: int, text: bytes) -> DdmError:
    kind, message = _kind(text)
    if not kind:  # of a proxy in front, or an interpreter that has died: it may pass
        return DdmError(f"Rucio answered {status} to {what}, without saying why")
    said = f"Rucio: {kind}: {message}"
    if kind in US:
        return DdmError(said)
    if status == 404:
        return Unknown(said, kind=kind)
    if kind.startswith("Duplicate") or kind.endswith("AlreadyExists"):
        return Exists(said)
    if kind in FINAL or (status < 500 and kind not in PASSING):
        return DdmRefused(said)
    return DdmLater(said)


def _reason(error: BaseException) -> str:
    """The innermost words: 'Connection refused' rather than a tower of wrappers."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    return (str(inner) or type(inner).__name__)[:200]
