"""An XRootD server that lets nobody do anything without a token.

The tokens are macaroons, which need no issuer: they are made here, of the server's own secret.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.datasets.xrootd import SUMS, Running, xrootd

SITE = "pandasite-test"
SECRET = os.urandom(48)
ALLOWED = "DOWNLOAD,UPLOAD,LIST,DELETE,MANAGE,UPDATE_METADATA,READ_METADATA"
CONFIG = f"""
{SUMS}
all.sitename {SITE}
ofs.authorize 1
ofs.authlib libXrdMacaroons.so
macaroons.secretkey {{folder}}/secret
macaroons.onmissing deny
acc.authdb {{folder}}/nobody
"""


@contextmanager
def xrootd_by_token(certificate: Path) -> Iterator[Running]:
    """The server, by TLS."""
    files = {"secret": base64.b64encode(SECRET).decode() + "\n", "nobody": "u nobody /none rl\n"}
    with xrootd(more=CONFIG, certificate=certificate, files=files) as server:
        yield server


def macaroon(*, path: str) -> str:
    """A token for all below a path; a server takes none that lasts for longer than a day."""
    before = f"{dt.datetime.now(dt.UTC) + dt.timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    caveats = ["name:panda", f"activity:{ALLOWED}", f"path:{path}", f"before:{before}"]
    identifier = os.urandom(8).hex()
    signature = _sign(_sign(b"macaroons-key-generator".ljust(32, b"\0"), SECRET), identifier)
    for caveat in caveats:
        signature = _sign(signature, caveat)
    packets = [_packet("location", SITE.encode()), _packet("identifier", identifier.encode())]
    packets += [_packet("cid", caveat.encode()) for caveat in caveats]
    packets.append(_packet("signature", signature))
    return base64.urlsafe_b64encode(b"".join(packets)).rstrip(b"=").decode()


def _sign(key: bytes, text: str | bytes) -> bytes:
    return hmac.digest(key, text.encode() if isinstance(text, str) else text, hashlib.sha256)


def _packet(name: str, value: bytes) -> bytes:
    content = name.encode() + b" " + value + b"\n"
    return f"{len(content) + 4:04x}".encode() + content
