"""An issuer of tokens, made for one test: its keys, and the server where they can be had."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from pandasite.identity.issuers import Issuer

NOW = dt.datetime(2026, 11, 28, 12, 0, tzinfo=dt.UTC)
NAME = "https://iam.example/"
OURS = "https://panda.example"
SCOPE = "openid panda.write"


@cache
def rsa_key(nr: int = 1, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Made once in a session: it takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(nr: int = 1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public(key: Any, kid: str, **more: str) -> dict[str, Any]:
    """A key as a JWKS has it."""
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"} | more


def claims(now: dt.datetime = NOW, **changes: Any) -> dict[str, Any]:
    """What a good token says; a change to None takes a claim away."""
    second = int(now.timestamp())
    said = {
        "iss": NAME, "sub": "alice-1", "aud": OURS, "exp": second + 3600, "nbf": second,
        "iat": second, "scope": SCOPE, "wlcg.ver": "1.0", "preferred_username": "alice",
        "name": "Alice Example",
    } | changes  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def signed(
    said: dict[str, Any],
    *,
    key: Any = None,
    alg: str = "RS256",
    kid: str | None = "r1",
    **header: Any,
) -> str:
    """A token; without a `key` by the issuer's first one."""
    names = header | ({"kid": kid} if kid is not None else {})
    return jwt.encode(said, key or rsa_key(), algorithm=alg, headers=names)


def raw(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    """A token with any signature at all."""
    parts = [json.dumps(header).encode(), json.dumps(said).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@dataclass
class KeyServer:
    """Where keys can be had. `asked` are the addresses that were asked for; it can be away."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [public(rsa_key(), "r1")])
    away: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def address(self) -> str:
        return f"{self.url}/jwks"


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """A server on the loopback interface."""
    place = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place.asked.append(self.path)
            body = b"" if place.away else json.dumps({"keys": place.keys}).encode()
            self.send_response(500 if place.away else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Not on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        place.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()


def issuer(keys: str, **changes: Any) -> Issuer:
    """The entry of our issuer in the file of those that are believed."""
    fields: dict[str, Any] = {
        "issuer": NAME, "audiences": [OURS], "keys": keys, "create_users": True, "pilots": True,
    } | changes  # fmt: skip
    return Issuer(**fields)
