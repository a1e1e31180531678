"""An authority, its users and their proxies, made in a moment: no program is asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pandasite.identity.x509.proxy_info import (
    INHERIT_ALL,
    LIMITED,
    PROXY_CERT_INFO,
    ProxyCertInfo,
    ProxyPolicy,
)

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
DOMAIN = (("DC", "ch"), ("DC", "test"))
OIDS = {
    "CN": NameOID.COMMON_NAME, "DC": NameOID.DOMAIN_COMPONENT, "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "emailAddress": NameOID.EMAIL_ADDRESS,
}  # fmt: skip
Part = tuple[str, str]


def named(*parts: Part) -> x509.Name:
    return x509.Name([x509.NameAttribute(OIDS[short], value) for short, value in parts])


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A certificate with its key, and the certificates between it and the authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    above: tuple[x509.Certificate, ...] = ()

    @property
    def ders(self) -> list[bytes]:
        """As a verified chain has them, but for the authority."""
        return [each.public_bytes(Encoding.DER) for each in (self.certificate, *self.above)]

    @property
    def pem(self) -> bytes:
        """As a proxy's file has them: the certificate, its key, those above."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        above = [each.public_bytes(Encoding.PEM) for each in self.above]
        return b"".join([self.certificate.public_bytes(Encoding.PEM), key, *above])

    def write(self, path: Path) -> Path:
        path.write_bytes(self.pem)
        path.chmod(0o600)
        return path


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a certificate is to be. `policy` empty: no proxyCertInfo."""

    subject: x509.Name
    begins: dt.datetime
    life: dt.timedelta = dt.timedelta(hours=12)
    policy: str = ""
    path_length: int | None = None
    critical: bool = True
    authority: bool = False
    others: Sequence[tuple[x509.ExtensionType, bool]] = ()


def sign(wish: Wish, *, by: Holder | None) -> Holder:
    """By itself when there is nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(wish.subject)
        .issuer_name(by.certificate.subject if by else wish.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.begins)
        .not_valid_after(wish.begins + wish.life)
    )
    for extension, critical in _extensions(wish):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(by.key if by else key, hashes.SHA256())
    above = (by.certificate, *by.above) if by and not _is_root(by) else ()
    return Holder(certificate=certificate, key=key, above=above)


def _is_root(holder: Holder) -> bool:
    return holder.certificate.subject == holder.certificate.issuer


def _extensions(wish: Wish) -> list[tuple[x509.ExtensionType, bool]]:
    made: list[tuple[x509.ExtensionType, bool]] = list(wish.others)
    if wish.authority:
        made.append((x509.BasicConstraints(ca=True, path_length=None), True))
    if wish.policy:
        policy = ProxyPolicy(language=x509.ObjectIdentifier(wish.policy), policy=None)
        info = ProxyCertInfo(path_length=wish.path_length, policy=policy)
        value = x509.UnrecognizedExtension(PROXY_CERT_INFO, asn1.encode_der(info))
        made.append((value, wish.critical))
    return made


def usage(*, sign: bool = True, authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, content_commitment=False, key_encipherment=not authority,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority,
        crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip


class Authority:
    """A root, that issues and revokes. `now`: about when all of it is good."""

    def __init__(self, *, name: str = "Test CA", now: dt.datetime = NOW) -> None:
        self.now = now
        subject = named(*DOMAIN, ("CN", name))
        wish = Wish(
            subject=subject, begins=now - dt.timedelta(days=9), life=dt.timedelta(days=99),
            authority=True, others=[(usage(authority=True), True)],
        )  # fmt: skip
        self.root = sign(wish, by=None)

    @property
    def der(self) -> bytes:
        return self.root.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.root.certificate.public_bytes(Encoding.PEM)

    def user(self, name: str = "Alice", **wished: object) -> Holder:
        wish = Wish(
            subject=named(*DOMAIN, ("OU", "Users"), ("CN", name)),
            begins=self.now - dt.timedelta(days=1), life=dt.timedelta(days=30),
            others=[(x509.BasicConstraints(ca=False, path_length=None), True), (usage(), True)],
        )  # fmt: skip
        return sign(replace(wish, **wished), by=self.root)  # type: ignore[arg-type]

    def host(self, *addresses: x509.GeneralName) -> Holder:
        """For a server."""
        others = [(x509.SubjectAlternativeName(addresses), False)]
        return self.user("localhost", others=others)

    def proxy(self, of: Holder, **wished: object) -> Holder:
        subject = x509.Name([*of.certificate.subject.rdns, *named(("CN", "1234567")).rdns])
        wish = Wish(
            subject=subject, begins=self.now - dt.timedelta(minutes=5), policy=INHERIT_ALL,
            others=[(usage(), True)],
        )  # fmt: skip
        return sign(replace(wish, **wished), by=of)  # type: ignore[arg-type]

    def limited(self, of: Holder) -> Holder:
        return self.proxy(of, policy=LIMITED)

    def crl(self, *revoked: Holder, until: dt.timedelta = dt.timedelta(days=7)) -> bytes:
        """The list of what was revoked, as PEM."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.root.certificate.subject)
            .last_update(self.now - dt.timedelta(hours=1))
            .next_update(self.now + until)
        )
        for holder in revoked:
            entry = x509.RevokedCertificateBuilder(
                holder.certificate.serial_number, self.now - dt.timedelta(minutes=30)
            )
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.root.key, hashes.SHA256()).public_bytes(Encoding.PEM)
