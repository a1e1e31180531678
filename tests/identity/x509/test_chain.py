"""Whose a chain of certificates is: the end entity's, and by no proxy that is more than it may."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from pandasite.identity.x509.chain import whose
from pandasite.identity.x509.errors import CertificateRefused
from pandasite.identity.x509.proxies import Limits
from pandasite.identity.x509.proxy_info import INDEPENDENT
from tests.identity.x509.grid_ca import DOMAIN, NOW, Authority, Holder, named, usage

CA = Authority()
ALICE = CA.user()
PROXY = CA.proxy(ALICE)
HOURS = dt.timedelta(hours=1)


def shown(holder: Holder, *, now: dt.datetime = NOW, limits: Limits | None = None) -> object:
    return whose([*holder.ders, CA.der], now=now, limits=limits or Limits())


def below(owner: Holder, *parts: tuple[str, str]) -> x509.Name:
    """The owner's name and these."""
    return x509.Name([*owner.certificate.subject.rdns, *named(*parts).rdns])


def unknown(oid: str) -> tuple[x509.ExtensionType, bool]:
    """A critical extension that nobody knows."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"0"), True


OTHER_NAME = (x509.SubjectAlternativeName([x509.DNSName("bob.example.org")]), False)


def deep(count: int) -> Holder:
    holder = ALICE
    for _ in range(count):
        holder = CA.proxy(holder)
    return holder


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_proxies_up_to_three_deep_are_their_owners(count: int) -> None:
    found = whose([*deep(count).ders, CA.der], now=NOW, limits=Limits())
    assert found.subject == "CN=Alice,OU=Users,DC=test,DC=ch"
    assert found.issuer == "CN=Test CA,DC=test,DC=ch"
    assert found.slashes == "/DC=ch/DC=test/OU=Users/CN=Alice"
    assert found.proxies == count
    assert found.until == deep(count).certificate.not_valid_after_utc


def test_the_same_name_of_another_authority_is_another_identity() -> None:
    other = Authority(name="Other CA")
    found = whose([*other.user().ders, other.der], now=NOW, limits=Limits())
    assert found.issuer == "CN=Other CA,DC=test,DC=ch"
    assert found.subject == "CN=Alice,OU=Users,DC=test,DC=ch"


def test_names_that_read_alike_in_slashes_are_two() -> None:
    hidden = CA.user(subject=named(*DOMAIN, ("OU", "Users/CN=Alice")))
    found = whose([*hidden.ders, CA.der], now=NOW, limits=Limits())
    assert found.slashes == "/DC=ch/DC=test/OU=Users/CN=Alice"
    assert found.subject != "CN=Alice,OU=Users,DC=test,DC=ch"


REFUSED = {
    "limited": (CA.limited(ALICE), "limited proxy"),
    "limited by its name": (
        CA.proxy(ALICE, subject=below(ALICE, ("CN", "limited proxy"))),
        "limited proxy",
    ),
    "made from a limited one": (CA.proxy(CA.limited(ALICE)), "limited proxy"),
    "independent": (CA.proxy(ALICE, policy=INDEPENDENT), "independent"),
    "of an unknown policy": (CA.proxy(ALICE, policy="1.2.3.4"), "policy 1.2.3.4"),
    "four deep": (deep(4), "4 proxies in a row, 3 may be"),
    "below one that allows none": (
        CA.proxy(CA.proxy(ALICE, path_length=0)),
        "1 proxies were made from one that allows 0",
    ),
    "made for two days": (CA.proxy(ALICE, life=48 * HOURS), "made for 48.0 h, 24 h may be"),
    "not critical": (CA.proxy(ALICE, critical=False), "must be critical"),
    "of another name": (
        CA.proxy(ALICE, subject=named(*DOMAIN, ("CN", "Bob"), ("CN", "1"))),
        "its owner's and one CN more",
    ),
    "of two names more": (
        CA.proxy(ALICE, subject=below(ALICE, ("CN", "1"), ("CN", "2"))),
        "its owner's and one CN more",
    ),
    "of an organisation more": (
        CA.proxy(ALICE, subject=below(ALICE, ("O", "Lab"))),
        "its owner's and one CN more",
    ),
    "a CN without proxyCertInfo": (
        CA.proxy(ALICE, policy=""),
        "issued by one that is no authority",
    ),
    "of 2002": (
        CA.proxy(ALICE, policy="", subject=below(ALICE, ("CN", "proxy"))),
        "has no proxyCertInfo",
    ),
    "of the draft of RFC 3820": (
        CA.proxy(
            ALICE,
            policy="",
            others=[unknown("1.3.6.1.4.1.3536.1.222")],
        ),
        "older than RFC 3820",
    ),
    "with another name": (
        CA.proxy(ALICE, others=[OTHER_NAME]),
        "no other names",
    ),
    "that is an authority": (CA.proxy(ALICE, authority=True), "an authority"),
    "with an unknown critical extension": (
        CA.proxy(ALICE, others=[unknown("1.2.3")]),
        "critical extension 1.2.3",
    ),
    "of one who may not sign": (
        CA.proxy(CA.user(others=[(usage(sign=False), True)])),
        "may not sign",
    ),
    "ended": (CA.proxy(ALICE, life=HOURS / 6, begins=NOW - HOURS), "ended at 2026-11-28 11:10"),
    "not begun": (CA.proxy(ALICE, begins=NOW + HOURS), "begins at 2026-11-28 13:00"),
    "of an owner whose certificate ended": (
        CA.proxy(CA.user(begins=NOW - 48 * HOURS, life=24 * HOURS)),
        "ended at 2026-11-27 12:00",
    ),
    "the authority itself": (CA.root, "of an authority"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_proxy_is_refused_in_words_that_is(why: str) -> None:
    holder, words = REFUSED[why]
    with pytest.raises(CertificateRefused, match=words):
        shown(holder)


def test_a_proxy_without_its_owner_is_refused() -> None:
    with pytest.raises(CertificateRefused, match="owner was not sent"):
        whose(PROXY.ders[:1], now=NOW, limits=Limits())


@pytest.mark.parametrize(
    "der",
    [b"", b"0", b"\x30\x03\x02\x01\x01", PROXY.ders[0][:-1]],
    ids=["empty", "one", "short", "cut"],
)
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(CertificateRefused, match="not a certificate"):
        whose([der], now=NOW, limits=Limits())


def test_an_extension_that_is_there_twice_is_refused() -> None:
    """As a certificate that two programs could read in two ways."""
    two = [x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.{n}"), b"0") for n in (4, 5)]
    holder = CA.user(others=[(extension, False) for extension in two])
    der = holder.ders[0].replace(b"\x06\x03\x2a\x03\x05", b"\x06\x03\x2a\x03\x04")
    for chain in ([der, CA.der], [PROXY.ders[0], der, CA.der]):
        with pytest.raises(CertificateRefused, match="extensions of a certificate cannot be read"):
            whose(chain, now=NOW, limits=Limits())


def test_a_chain_without_end_is_refused() -> None:
    with pytest.raises(CertificateRefused, match="more than 12"):
        whose(PROXY.ders * 7, now=NOW, limits=Limits())


def test_a_makers_clock_may_be_some_minutes_off() -> None:
    day = CA.proxy(ALICE, begins=NOW - 5 * HOURS / 60, life=24 * HOURS + 5 * HOURS / 60)
    ahead = CA.proxy(ALICE, begins=NOW + 5 * HOURS / 60)
    assert shown(day)
    assert shown(ahead)


def test_the_limits_are_the_administrators() -> None:
    assert shown(deep(4), limits=Limits(depth=4))
    assert shown(CA.proxy(ALICE, life=96 * HOURS), limits=Limits(life=96 * HOURS))
    with pytest.raises(CertificateRefused, match="1 proxies in a row, 0 may be"):
        shown(PROXY, limits=Limits(depth=0))


@pytest.mark.parametrize("name", ["Al\nice", "Al\x00ice", "A" * 500], ids=["line", "nul", "long"])
def test_a_name_that_would_break_a_log_or_a_column_is_refused(name: str) -> None:
    parts = [("OU", name[:64]), ("OU", name[64:128])] * 4 if len(name) > 64 else [("CN", name)]
    strange = CA.user(subject=named(*[part for part in parts if part[1]]))
    with pytest.raises(CertificateRefused, match="names cannot be read"):
        shown(strange)
