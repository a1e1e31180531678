"""The OpenID provider of one session: started, rotated, and clicked through as people do."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

FOLDER = Path(__file__).resolve().parents[2] / ".issuer"  # filled by deploy/issuer.py
SCRIPT = Path(__file__).with_name("provider.mjs")
CALLBACK = "http://testserver/login/issuer/callback/"
SECONDS = 30


@dataclass
class Provider:
    """A provider that runs; `start` again gives it other keys at the same address."""

    port: int
    folder: Path
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, kid: str, *, groups: Sequence[str] = ()) -> None:
        """With one key of this name; accounts are members of these groups."""
        self.stop()
        config = self.folder / f"{kid}.json"
        config.write_text(
            json.dumps(
                {
                    "port": self.port,
                    "jwks": {"keys": [_key(kid)]},
                    "redirect_uri": CALLBACK,
                    "groups": list(groups),
                    "modules": str(FOLDER / "node_modules"),
                }
            )
        )
        self.process = subprocess.Popen(
            [_node(), str(SCRIPT), str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.strip() == "ready":
                return
        raise AssertionError("the provider did not start: " + "".join(said))

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait(timeout=SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None


@contextmanager
def provider(folder: Path) -> Iterator[Provider]:
    """On a port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        made = Provider(port=probe.getsockname()[1], folder=folder)
    try:
        yield made
    finally:
        made.stop()


def _node() -> str:
    """That of the machine, else the one that came with npm."""
    return shutil.which("node") or str(FOLDER / "venv" / "bin" / "node")


def _key(kid: str) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made: dict[str, Any] = RSAAlgorithm.to_jwk(key, as_dict=True)
    made.pop("key_ops", None)
    return made | {"kid": kid, "use": "sig", "alg": "RS256"}


def click_through(url: str, *, name: str) -> str:
    """Do what the provider's pages ask, as somebody of this name; where it sends us in the end."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=SECONDS, allow_redirects=False)
        for _ in range(20):
            if page.is_redirect:
                there = urljoin(page.url, page.headers["Location"])
                if there.startswith(CALLBACK):
                    return there
                page = browser.get(there, timeout=SECONDS, allow_redirects=False)
                continue
            form = _form(page.text)
            if form is None:
                return str(page.url)
            action, fields = form
            if fields.get("prompt") == "login":
                fields |= {"login": name, "password": "any"}
            where = urljoin(page.url, action)
            page = browser.post(where, data=fields, timeout=SECONDS, allow_redirects=False)
    raise AssertionError("the provider's pages lead nowhere")


def _form(page: str) -> tuple[str, dict[str, str]] | None:
    """The address and the hidden fields of the page's form."""
    found = re.search(r'<form[^>]*action="([^"]+)"', page)
    if found is None:
        return None
    inputs = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
    return found.group(1), dict(inputs)
