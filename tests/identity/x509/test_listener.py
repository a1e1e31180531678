"""The port with TLS of its own: whom OpenSSL lets in there, and what is then known of them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from pandasite.identity.x509 import sockets
from pandasite.identity.x509.chain import whose
from pandasite.identity.x509.errors import CertificateRefused
from pandasite.identity.x509.listener import Contexts, make
from pandasite.identity.x509.proxies import Limits
from tests.identity.x509.grid_ca import Authority, Holder
from tests.identity.x509.wire import Folder, shaken_hands

NOW = dt.datetime.now(dt.UTC)  # OpenSSL asks the clock of this machine
CA = Authority(now=NOW)
HOST = CA.host(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
ALICE, BOB = CA.user(), CA.user("Bob")
STRANGER = Authority(name="Other CA", now=NOW).user()
LONG_AGO = dt.timedelta(days=2)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.make(tmp_path, CA, HOST)


def seen(
    folder: Folder, holder: Holder | None, server: ssl.SSLContext | None = None
) -> list[bytes]:
    """What the server has of this client, after a handshake."""
    with shaken_hands(server or make(folder.files), folder.client(holder)) as (served, _):
        return sockets.chain_of({"gunicorn.socket": served})


@pytest.mark.parametrize("deep", [0, 1, 2, 3])
def test_a_user_and_proxies_are_known_by_the_end_entity(folder: Folder, deep: int) -> None:
    holder = ALICE
    for _ in range(deep):
        holder = CA.proxy(holder)
    found = whose(seen(folder, holder), now=NOW, limits=Limits())
    assert (found.subject, found.proxies) == ("CN=Alice,OU=Users,DC=test,DC=ch", deep)


def test_who_shows_nothing_is_let_in_as_nobody(folder: Folder) -> None:
    assert seen(folder, None) == []


@pytest.mark.parametrize(
    ("holder", "why"),
    [
        (STRANGER, "unable to get local issuer certificate|self.signed"),
        (CA.proxy(ALICE, policy=""), "certificate verify failed"),
        (CA.proxy(ALICE, begins=NOW - LONG_AGO), "certificate has expired"),
        (CA.user(begins=NOW - LONG_AGO, life=LONG_AGO / 2), "certificate has expired"),
    ],
    ids=["foreign", "a CN without proxyCertInfo", "ended proxy", "ended user"],
)
def test_openssl_lets_nobody_in_who_is(folder: Folder, holder: Holder, why: str) -> None:
    with pytest.raises(ssl.SSLError, match=why):
        seen(folder, holder)


def test_openssl_lets_a_limited_proxy_in_and_we_do_not(folder: Folder) -> None:
    chain = seen(folder, CA.limited(ALICE))
    with pytest.raises(CertificateRefused, match="limited proxy"):
        whose(chain, now=NOW, limits=Limits())


def test_a_revoked_owner_is_refused_with_every_proxy_from_the_next_connection_on(
    folder: Folder,
) -> None:
    contexts = Contexts(folder.files)
    proxy = CA.proxy(ALICE)
    assert seen(folder, proxy, contexts.current())

    folder.trust("0123abcd.r0", CA.crl(ALICE))

    for holder in (proxy, ALICE):
        with pytest.raises(ssl.SSLError, match="certificate revoked"):
            seen(folder, holder, contexts.current())
    assert seen(folder, CA.proxy(BOB), contexts.current())


@pytest.mark.parametrize("age", ["missing", "ended"])
def test_without_a_list_that_holds_nobody_of_that_authority_is_let_in(
    folder: Folder, age: str
) -> None:
    (folder.authorities / "0123abcd.r0").unlink()
    if age == "ended":
        folder.trust("0123abcd.r0", CA.crl(until=-dt.timedelta(minutes=1)))
    with pytest.raises(ssl.SSLError, match="CRL"):
        seen(folder, ALICE)


def test_lists_are_not_asked_for_where_the_administrator_says_so(folder: Folder) -> None:
    (folder.authorities / "0123abcd.r0").unlink()
    plain = folder.files.__class__(**{**vars(folder.files), "crls": False})
    assert seen(folder, CA.proxy(ALICE), make(plain))


def test_an_authority_that_comes_later_is_trusted_without_a_restart(folder: Folder) -> None:
    contexts = Contexts(folder.files)
    other = Authority(name="Third CA", now=NOW)
    with pytest.raises(ssl.SSLError):
        seen(folder, other.user(), contexts.current())

    folder.trust("third.pem", other.pem)
    folder.trust("third.r0", other.crl())

    assert seen(folder, other.user(), contexts.current())


def test_files_that_cannot_be_used_leave_the_last_ones_and_are_logged(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    contexts = Contexts(folder.files)
    before = contexts.current()

    (folder.path / "host.pem").write_text("half of a file")

    assert contexts.current() is before
    assert [record.message for record in caplog.records] == ["tls_files_unusable"]
    HOST.write(folder.path / "host.pem")
    assert contexts.current() is not before


def test_a_broken_file_among_the_authorities_stops_its_own_only(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.trust("broken.0", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    folder.trust("README.txt", b"not looked at")
    assert seen(folder, ALICE)
    assert {record.message for record in caplog.records} == {"tls_authority_unreadable"}


def test_a_folder_without_authorities_is_no_start(folder: Folder) -> None:
    for path in folder.authorities.iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="no certificate of an authority"):
        make(folder.files)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_a_session_is_never_taken_up_again(folder: Folder, version: ssl.TLSVersion) -> None:
    server, client = make(folder.files), folder.client(CA.proxy(ALICE))
    client.maximum_version = version
    with shaken_hands(server, client) as (served, calling):
        served.sendall(b"x")
        assert calling.recv(1) == b"x"
        session = calling.session
    assert session is None or not session.has_ticket
    with shaken_hands(server, client) as (served, _):
        assert not served.session_reused
        assert len(sockets.chain_of({"gunicorn.socket": served})) == 3


@pytest.mark.parametrize(
    "environ", [{}, {"gunicorn.socket": object()}, {"HTTP_GUNICORN_SOCKET": "x"}]
)
def test_without_a_tls_socket_there_is_no_certificate(environ: dict[str, object]) -> None:
    assert sockets.chain_of(environ) == []
