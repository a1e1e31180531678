"""Real servers, real sockets: who is taken for whom at each port, and what is refused there."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests

from deploy.servers import ROOT
from tests.flow.installation import eventually
from tests.identity.x509.grid_ca import Authority, Holder
from tests.pilots.grid import QUEUE
from tests.servers.site import INSTALLED, SECRET, pem

if TYPE_CHECKING:
    from tests.servers.site import GridSite

pytestmark = pytest.mark.servers
ALERT = "TLS alert"
TOKEN = "Authorization"
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def said(site: GridSite, by: str, holder: Holder | None, **headers: str) -> tuple[int | str, str]:
    """Status, and the user or the reason."""
    try:
        told = site.ask(by, holder, **headers)
    except (requests.exceptions.SSLError, requests.exceptions.ConnectionError):
        return ALERT, ""
    if "json" not in told.headers["Content-Type"]:
        return told.status_code, told.text
    body = told.json()
    return told.status_code, body.get("username", body.get("message", ""))


def alice(site: GridSite) -> Holder:
    return site.ca.user()


def proxies(count: int) -> Callable[[GridSite], Holder]:
    def make(site: GridSite) -> Holder:
        holder = alice(site)
        for _ in range(count):
            holder = site.ca.proxy(holder)
        return holder

    return make


SHOWN: dict[str, Callable[[GridSite], Holder | None]] = {
    "nothing": lambda site: None,
    "a certificate": alice,
    "a proxy": proxies(1),
    "a proxy of a proxy": proxies(2),
    "three proxies": proxies(3),
    "four proxies": proxies(4),
    "a limited proxy": lambda site: site.ca.limited(alice(site)),
    "a proxy for two days": lambda site: site.ca.proxy(alice(site), life=dt.timedelta(days=2)),
    "a CN without proxyCertInfo": lambda site: site.ca.proxy(alice(site), policy=""),
    "a certificate of nobody": lambda site: site.ca.user("Bob"),
    "the name by another authority": lambda site: Authority(now=site.ca.now).user(),
    "an ended proxy": lambda site: site.ca.proxy(
        alice(site), begins=site.ca.now - dt.timedelta(days=1)
    ),
}
ALICE, NOBODY, BAD = (200, "alice"), (401, ""), (400, "")
DEEP = (401, "4 proxies in a row")
LIMITED, LONG, UNKNOWN = (401, "limited proxy"), (401, "24 h may be"), (403, "nobody here has")
#                             our own port        nginx            Apache with mod_gridsite
ANSWERS = {
    "nothing":                       (NOBODY,     NOBODY,          NOBODY),
    "a certificate":                 (ALICE,      ALICE,           ALICE),
    "a proxy":                       (ALICE,      BAD,             ALICE),
    "a proxy of a proxy":            (ALICE,      BAD,             ALICE),
    "three proxies":                 (ALICE,      BAD,             ALICE),
    "four proxies":                  (DEEP,       BAD,             DEEP),
    "a limited proxy":               (LIMITED,    BAD,             LIMITED),
    "a proxy for two days":          (LONG,       BAD,             LONG),
    "a CN without proxyCertInfo":    ((ALERT, ""), BAD,            (ALERT, "")),
    "a certificate of nobody":       (UNKNOWN,    UNKNOWN,         UNKNOWN),
    "the name by another authority": ((ALERT, ""), BAD,            (ALERT, "")),
    "an ended proxy":                ((ALERT, ""), BAD,            (ALERT, "")),
}  # fmt: skip
assert ANSWERS.keys() == SHOWN.keys()


@pytest.mark.parametrize("shown", SHOWN)
def test_who_is_who_at_our_own_port(site: GridSite, shown: str) -> None:
    status, words = said(site, "own", SHOWN[shown](site))
    assert status == ANSWERS[shown][0][0] and ANSWERS[shown][0][1] in words


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("by", ["nginx", "apache"])
def test_who_is_who_behind_a_server_in_front(front: GridSite, by: str, shown: str) -> None:
    status, words = said(front, by, SHOWN[shown](front))
    wanted = ANSWERS[shown][("nginx", "apache").index(by) + 1]
    assert status == wanted[0] and wanted[1] in words


@pytest.mark.parametrize("shown", ["nothing", "a proxy", "a limited proxy"])
def test_what_nginx_passes_on_as_it_comes_is_as_at_our_own_port(
    front: GridSite, shown: str
) -> None:
    status, words = said(front, "passed on", SHOWN[shown](front))
    assert status == ANSWERS[shown][0][0] and ANSWERS[shown][0][1] in words


def forged(site: GridSite) -> dict[str, dict[str, str]]:
    """Headers by which somebody would be Alice; `__` stands for a dash."""
    text = quote(pem(alice(site)), safe="")
    good = {"Clientverify": "SUCCESS", "Clientcertificate": text}
    return {
        "as ours": good,
        "with a guessed secret": good | {"Clientsecret": "guess"},
        "in another case": {name.upper(): value for name, value in good.items()},
        "with a chain": good | {f"Clientchain{place}": text for place in range(10)},
        "with dashes": {"Client__verify": "SUCCESS", "Client__certificate": text},
        "with underscores": {"Client_verify": "SUCCESS", "Client_certificate": text},
        "by others' names": {
            "X__SSL__Client__S__DN": "CN=Alice", "SSL_CLIENT_S_DN": "CN=Alice",
            "SSL_CLIENT_VERIFY": "SUCCESS", "GRST_CRED_AURI_0": "dn:/CN=Alice",
            "REMOTE_USER": "alice", "X__Remote__User": "alice",
        },
    }  # fmt: skip


@pytest.mark.parametrize("how", range(7), ids=lambda place: f"set {place}")
def test_a1_a_header_of_a_client_makes_nobody_somebody_at_any_port(
    front: GridSite, how: int
) -> None:
    headers = [*forged(front).values()][how]
    for by in ("plain", "own", "nginx", "apache"):
        status, words = said(front, by, None, **headers)
        assert status in (400, 401) and words != "alice", by
        # Nor somebody else of who is known.
        if by not in ("plain", "apache"):
            bob = said(front, by, front.ca.user("Bob"), **headers)
            assert bob[0] in (400, 403), by


def test_a1_a_header_that_comes_twice_at_the_back_is_no_identity(front: GridSite) -> None:
    """Straight at the site's own port, from the right address and with the secret."""
    text = quote(pem(alice(front)), safe="")
    one = [("Clientverify", "SUCCESS"), ("Clientcertificate", text), ("Clientsecret", SECRET)]
    assert raw(front, one)[:2] == (200, "alice")
    for twice in one:
        status, words = raw(front, [*one, twice])
        assert status in (400, 401) and words != "alice", twice[0]
    other = ("Clientcertificate", quote(pem(front.ca.user("Bob")), safe=""))
    for headers in ([*one, other], [other, *one]):
        status, words = raw(front, headers)
        assert status in (400, 401) and words != "alice"


def raw(site: GridSite, headers: list[tuple[str, str]]) -> tuple[int, str]:
    host, _, port = site.at["plain"].removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.putrequest("GET", "/rest/v1/me")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    return answer.status, body.get("username", body.get("message", ""))


def test_a_token_opens_every_port_without_a_certificate(front: GridSite) -> None:
    token = {TOKEN: f"Token {front.ready['user']}"}
    for by in ("plain", "own", "nginx", "apache"):
        assert said(front, by, None, **token) == (200, "alice")


def test_the_client_and_not_the_server_in_front_is_counted_and_logged(front: GridSite) -> None:
    forged = {"Clientaddress": "192.0.2.1", "X__Forwarded__For": "192.0.2.1"}
    for by in ("nginx", "apache", "plain"):
        front.ask(by, None, f"/rest/v1/me?from={by}", source="127.0.0.2", **forged)
    lines = (front.home.logs / "web.log").read_text().splitlines()
    logged = [json.loads(line) for line in lines if "/rest/v1/me?from=" in line]
    assert {line["request"].partition("from=")[2]: line["ip"] for line in logged} == dict.fromkeys(
        ("nginx", "apache", "plain"), "127.0.0.2"
    )


def test_a_pilots_certificate_takes_jobs_of_its_site_by_each_port(front: GridSite) -> None:
    factory = front.ca.user("factory")
    for by, holder in (("own", front.ca.proxy(factory)), ("nginx", factory), ("apache", factory)):
        told = front.ask(by, holder, f"/server/panda/getJob?siteName={QUEUE}")
        assert told.status_code == 405  # it is called by POST: and by whom it is, is known before
        assert said(front, by, holder) == (403, "pilots may only claim and report")


def test_a_revoked_certificate_is_refused_at_our_own_port_without_a_restart(
    site: GridSite,
) -> None:
    gone = site.ca.user("Mallory")
    proxy = site.ca.proxy(gone)
    assert said(site, "own", proxy)[0] == 403  # known to the authority, unknown to us
    site.security.revoke(gone)
    try:
        assert said(site, "own", proxy) == (ALERT, "")
        assert said(site, "own", gone) == (ALERT, "")
        assert said(site, "own", alice(site)) == ALICE
    finally:
        site.security.revoke()
    assert said(site, "own", proxy)[0] == 403


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    here = tmp_path / unit.name
    text = unit.read_text(encoding="utf-8").replace(INSTALLED, str(ROOT))
    here.write_text(text.replace("User=pandasite", "User=root").replace("Group=pandasite", ""))
    told = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_what_a_unit_of_systemd_starts_does_its_work(site: GridSite, unit: Path) -> None:
    begun, port = site.start_unit(unit)
    log = site.home.logs / f"{unit.stem}.log"

    def works() -> bool:
        assert begun.poll() is None, log.read_text()
        if not port:
            return " ready." in log.read_text()
        scheme = "https" if unit.stem == "pandasite-tls" else "http"
        site.at[unit.stem] = f"{scheme}://127.0.0.1:{port}"
        return site.calls(unit.stem).ok

    eventually(works, seconds=90.0, what=log.read_text)
    if unit.stem == "pandasite-tls":
        assert said(site, unit.stem, site.ca.proxy(alice(site))) == ALICE
    begun.terminate()
    assert begun.wait(timeout=60) == 0


def test_a10_no_key_of_a_proxy_and_no_secret_is_in_any_log(front: GridSite) -> None:
    proxy = front.ca.proxy(alice(front))
    key = proxy.pem.decode().split("-----BEGIN PRIVATE KEY-----\n")[1].split("\n")[0]
    for by in ("own", "nginx", "apache"):
        said(front, by, front.ca.limited(alice(front)))
        said(front, by, None, Authorization=f"Bearer {key}")
        said(front, by, None, Clientsecret=key)
    logs = front.logs()
    assert "request_finished" in logs
    assert key not in logs and SECRET not in logs
