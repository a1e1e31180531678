"""Attack set A1: of certificates in headers those of the server in front are believed."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpResponse
from django.test import RequestFactory

from pandasite.base.errors import BadInput
from pandasite.identity.address import ClientAddressMiddleware
from pandasite.identity.x509.authorities import Authorities
from pandasite.identity.x509.chain import whose
from pandasite.identity.x509.errors import CertificateRefused
from pandasite.identity.x509.front import Front, chain_of
from pandasite.identity.x509.proxies import Limits
from tests.identity.x509.grid_ca import NOW, Authority, Holder

CA = Authority()
ALICE = CA.user()
PROXY = CA.proxy(ALICE)
WORD = "a secret of thirty-two characters"
FRONT = Front(networks=(ipaddress.ip_network("10.1.0.0/24"),), secret=WORD)


def pem(holder: Holder) -> str:
    return holder.certificate.public_bytes(Encoding.PEM).decode()


def meta(**changes: Any) -> dict[str, Any]:
    """As nginx hands Alice on; None takes a header away."""
    given = {
        "REMOTE_ADDR": "10.1.0.7",
        "HTTP_CLIENTVERIFY": "SUCCESS",
        "HTTP_CLIENTCERTIFICATE": quote(pem(ALICE), safe=""),
        "HTTP_CLIENTSECRET": WORD,
    } | changes
    return {name: value for name, value in given.items() if value is not None}


def apache(*chain: str, **changes: Any) -> dict[str, Any]:
    """As Apache does it: blanks for line ends, and what the client sent beyond its own."""
    own, *others = [text.replace("\n", " ") for text in chain]
    sent = {f"HTTP_CLIENTCHAIN{place}": text for place, text in enumerate(others)}
    return meta(HTTP_CLIENTCERTIFICATE=own, **sent, **changes)


@pytest.fixture
def known(tmp_path: Path) -> Authorities:
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    (tmp_path / "ca.r0").write_bytes(CA.crl())
    return Authorities(tmp_path)


def nobody() -> dict[Any, Any]:
    return {}


def subject(chain: list[bytes]) -> str:
    return whose(chain, now=NOW, limits=Limits()).subject


def test_the_certificate_that_the_server_in_front_verified_is_its_owners() -> None:
    assert subject(chain_of(meta(), FRONT, nobody)) == "CN=Alice,OU=Users,DC=test,DC=ch"


def test_a_proxy_that_apache_verified_is_its_owners(known: Authorities) -> None:
    deeper = CA.proxy(PROXY)
    given = apache(pem(deeper), pem(PROXY), pem(ALICE))
    assert subject(chain_of(given, FRONT, known.current)) == "CN=Alice,OU=Users,DC=test,DC=ch"


def test_it_is_off_unless_an_administrator_names_server_and_secret() -> None:
    for off in (Front(), Front(networks=FRONT.networks), Front(secret=WORD)):
        assert chain_of(meta(), off, nobody) == []


def test_without_a_certificate_there_is_no_identity_and_no_error() -> None:
    assert chain_of({"REMOTE_ADDR": "192.0.2.1"}, FRONT, nobody) == []
    none = meta(HTTP_CLIENTVERIFY="NONE", HTTP_CLIENTCERTIFICATE=None)
    assert chain_of(none, FRONT, nobody) == []


FORGED = {
    "from elsewhere": meta(REMOTE_ADDR="192.0.2.1"),
    "from no address": meta(REMOTE_ADDR=""),
    "from an address in a header": meta(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="10.1.0.7"),
    "without the secret": meta(HTTP_CLIENTSECRET=None),
    "with a wrong secret": meta(HTTP_CLIENTSECRET="x" * 32),
    "with the secret twice": meta(HTTP_CLIENTSECRET=f"{WORD},{WORD}"),
    "with a secret that is no ASCII": meta(HTTP_CLIENTSECRET="ÿ" * 32),
    "not verified": meta(HTTP_CLIENTVERIFY="FAILED:unable to verify the first certificate"),
    "verified in part": meta(HTTP_CLIENTVERIFY="GENEROUS"),
    "verified in another case": meta(HTTP_CLIENTVERIFY="success"),
    "verified twice": meta(HTTP_CLIENTVERIFY="SUCCESS,SUCCESS"),
    "verified and not": meta(HTTP_CLIENTVERIFY="NONE,SUCCESS"),
    "verified (null)": meta(HTTP_CLIENTVERIFY="(null)"),
    "verified by nobody": meta(HTTP_CLIENTVERIFY=None),
    "verified empty": meta(HTTP_CLIENTVERIFY=""),
    "none, and a certificate": meta(HTTP_CLIENTVERIFY="NONE"),
    "no certificate": meta(HTTP_CLIENTCERTIFICATE=None),
    "an empty certificate": meta(HTTP_CLIENTCERTIFICATE=""),
    "a certificate (null)": meta(HTTP_CLIENTCERTIFICATE="(null)"),
    "two certificates": meta(HTTP_CLIENTCERTIFICATE=f"{quote(pem(ALICE))},{quote(pem(ALICE))}"),
    "two in one": meta(HTTP_CLIENTCERTIFICATE=quote(pem(ALICE) + pem(CA.root))),
    "a name in its place": meta(HTTP_CLIENTCERTIFICATE="CN=Alice,OU=Users,DC=test,DC=ch"),
    "half a certificate": meta(HTTP_CLIENTCERTIFICATE=quote(pem(ALICE)[:300])),
    "a chain (null)": apache(pem(PROXY), "(null)"),
    "a chain alone": {"REMOTE_ADDR": "192.0.2.1", "HTTP_CLIENTCHAIN0": "x"},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_header_is_a_bad_request_and_no_identity(how: str) -> None:
    with pytest.raises(BadInput) as refused:
        chain_of(FORGED[how], FRONT, nobody)
    assert refused.value.code == "client_certificate"
    assert "MII" not in refused.value.message and WORD not in refused.value.message


def test_a_proxy_needs_its_owner_an_authority_and_their_signatures(known: Authorities) -> None:
    mallory = Authority()  # of the same name, which costs nothing
    forged = mallory.proxy(mallory.user())
    cases = {
        "owner was not sent": apache(pem(PROXY)),
        "not made by the certificate that follows": apache(pem(forged), pem(ALICE)),
        "of no authority known here": apache(pem(forged), owner_of(forged)),
    }
    for why, given in cases.items():
        with pytest.raises(CertificateRefused, match=why):
            chain_of(given, FRONT, known.current)
    with pytest.raises(CertificateRefused, match="of no authority known here"):
        chain_of(apache(pem(PROXY), pem(ALICE)), FRONT, nobody)
    with pytest.raises(CertificateRefused, match="of no authority known here"):
        chain_of(apache(pem(mallory.user())), FRONT, known.current)


def owner_of(proxy: Holder) -> str:
    return proxy.above[0].public_bytes(Encoding.PEM).decode()


def test_a_limited_proxy_that_apache_lets_through_is_refused_here(known: Authorities) -> None:
    chain = chain_of(apache(pem(CA.limited(ALICE)), pem(ALICE)), FRONT, known.current)
    with pytest.raises(CertificateRefused, match="limited proxy"):
        subject(chain)


def seen_by(front: Front, settings: Any, **meta: str) -> dict[str, Any]:
    """What of the request is handed on by the middleware."""
    settings.PANDASITE_FRONT = front
    request = RequestFactory().get("/", **meta)
    handed_on: list[Any] = []
    ClientAddressMiddleware(lambda each: handed_on.append(each) or HttpResponse())(request)
    return dict(handed_on[0].META)


def test_the_address_of_the_client_is_what_the_server_in_front_says(settings: Any) -> None:
    given = meta(HTTP_CLIENTADDRESS="2001:db8::7")
    told = seen_by(FRONT, settings, **given)
    assert told["REMOTE_ADDR"] == "2001:db8::7"
    assert subject(chain_of(told, FRONT, nobody)) == "CN=Alice,OU=Users,DC=test,DC=ch"


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_CLIENTSECRET": "x" * 32},
        {"REMOTE_ADDR": "192.0.2.1"},
        {"HTTP_CLIENTADDRESS": "10.1.0.8,10.1.0.9"},
        {"HTTP_CLIENTADDRESS": "unknown"},
        {"HTTP_X_FORWARDED_FOR": "10.1.0.8", "HTTP_CLIENTADDRESS": ""},
    ],
    ids=["no secret", "elsewhere", "twice", "none", "forwarded"],
)
def test_an_address_that_somebody_else_says_is_not_believed(
    settings: Any, changes: dict[str, str]
) -> None:
    given = meta(HTTP_CLIENTADDRESS="10.1.0.8") | changes
    assert seen_by(FRONT, settings, **given)["REMOTE_ADDR"] == given["REMOTE_ADDR"]
    assert seen_by(Front(), settings, **given)["REMOTE_ADDR"] == given["REMOTE_ADDR"]


def test_authorities_are_read_anew_when_their_folder_changes(tmp_path: Path) -> None:
    known = Authorities(tmp_path)
    assert known.current() == {}
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    (tmp_path / "broken.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"
    )
    (tmp_path / "user.pem").write_text(pem(ALICE))
    assert [*known.current()] == [CA.root.certificate.subject]
    assert Authorities(None).current() == {}
    assert Authorities(tmp_path / "gone").current() == {}
