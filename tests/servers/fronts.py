"""nginx and Apache with the files of deploy/, as processes of the test."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.servers import MODULES, ROOT, STREAM
from pandasite.embedded.process import Command

NGINX = """\
load_module {stream};
include {here}/proxies.conf;
daemon off; user root; worker_processes 1; pid {here}/nginx.pid; error_log {here}/error.log info;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;
  fastcgi_temp_path {here}/fastcgi; uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
  include {here}/pandasite.conf;
}}
"""
LOADED = ("mpm_event", "authz_core", "ssl", "headers", "proxy", "proxy_http", "gridsite")
APACHE = """\
ServerRoot {here}
PidFile {here}/apache.pid
ErrorLog {here}/error.log
LogLevel info
User nobody
Group nogroup
{modules}
Mutex pthread
Listen 127.0.0.1:{port}
Include {here}/pandasite.conf
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a server's files are, where the site listens, and the secret between the two."""

    here: Path
    below: Path  # the root of Debian's packages
    site: str  # HOST:PORT
    tls: str  # the same of the site's own TLS port
    secret: str
    host: Path  # certificate and key of this host
    authorities: Path  # a folder with links by hash
    passed_on: int  # the port at which nginx hands TLS on as it comes

    def environment(self) -> dict[str, str]:
        """Libraries that came with the packages are found first."""
        libraries = [str(path) for path in (self.below / "usr" / "lib").glob("*-linux-gnu")]
        return dict(os.environ) | {"LD_LIBRARY_PATH": ":".join(libraries)}

    def write(self, name: str, text: str) -> Path:
        path = self.here / name
        path.write_text(text, encoding="utf-8")
        return path

    def command(self, name: str, *words: str) -> Command:
        program = str(self.below / "usr" / "sbin" / name)
        return Command(name=name, argv=(program, *words), env=self.environment())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def changed(path: str, changes: Mapping[str, str]) -> str:
    """A file of deploy/ with other places; each that is to be changed must be in it."""
    text = (ROOT / "deploy" / path).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{path} has no {old!r}"
        text = text.replace(old, new)
    left = [line for line in text.splitlines() if re.search(r"^\s*[^#\s].*[ \"]/etc/", line)]
    assert not left, left
    return text


def nginx(place: Place, port: int) -> Command:
    """With HTTPS at this port, and TLS that it hands on at the other."""
    place.write("front-secret.conf", f'proxy_set_header Clientsecret "{place.secret}";\n')
    changes = {
        "server 127.0.0.1:8000;": f"server {place.site};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/grid-security/hostcert.pem": str(place.host),
        "/etc/grid-security/hostkey.pem": str(place.host),
        "/var/lib/pandasite": str(place.here),
        "/etc/pandasite/front-secret.conf": str(place.here / "front-secret.conf"),
    }
    place.write("pandasite.conf", changed("nginx/pandasite.conf", changes))
    passed_on = {
        "listen 25443;": f"listen 127.0.0.1:{place.passed_on};",
        "proxy_pass 127.0.0.1:25444;": f"proxy_pass {place.tls};",
    }
    place.write("proxies.conf", changed("nginx/proxies.conf", passed_on))
    text = NGINX.format(here=place.here, stream=place.below / STREAM)
    config = place.write("nginx.conf", text)
    return place.command("nginx", "-p", str(place.here), "-c", str(config), "-e", "stderr")


def apache(place: Place, port: int) -> Command:
    place.write("front-secret.conf", f'RequestHeader set Clientsecret "{place.secret}"\n')
    changes = {
        "<VirtualHost *:443>": f"<VirtualHost 127.0.0.1:{port}>",
        "/etc/grid-security/hostcert.pem": str(place.host),
        "/etc/grid-security/hostkey.pem": str(place.host),
        "/etc/grid-security/certificates": str(place.authorities),
        "/etc/pandasite/front-secret-apache.conf": str(place.here / "front-secret.conf"),
        "http://127.0.0.1:8000/": f"http://{place.site}/",
    }
    place.write("pandasite.conf", changed("apache/pandasite.conf", changes))
    modules = "\n".join(
        f"LoadModule {name}_module {place.below / MODULES / f'mod_{name}.so'}" for name in LOADED
    )
    text = APACHE.format(here=place.here, modules=modules, port=port)
    config = place.write("apache.conf", text)
    return place.command("apache2", "-D", "FOREGROUND", "-f", str(config))
