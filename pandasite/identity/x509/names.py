"""Names of certificates: one spelling to compare and keep, and that of grid-mapfiles.

Kept is RFC 4514 (`CN=Alice,OU=Users,DC=ch`), which can be read in one way only. The slash form
(`/DC=ch/OU=Users/CN=Alice`) cannot: a slash may stand in a value. It is read here as its writers
mean it, a new part where `/NAME=` stands, and so it never names a certificate that has this text
within one of its values.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pandasite.base.errors import BadInput

DN_MAX: Final = 512  # characters; those of grid certificates have some 120
ATTRIBUTES: Final = {
    "CN": NameOID.COMMON_NAME,
    "C": NameOID.COUNTRY_NAME,
    "DC": NameOID.DOMAIN_COMPONENT,
    "E": NameOID.EMAIL_ADDRESS,
    "EMAIL": NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
    "GN": NameOID.GIVEN_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "SN": NameOID.SURNAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "TITLE": NameOID.TITLE,
    "UID": NameOID.USER_ID,
    "USERID": NameOID.USER_ID,
}
SHORT: Final = {oid: short for short, oid in reversed(ATTRIBUTES.items())} | {
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
}
PART: Final = re.compile(r"/(?=[A-Za-z][A-Za-z0-9.]*=)")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def spelled(name: x509.Name) -> str:
    """The name in RFC 4514. BadInput when it is empty, too long or has control characters."""
    if any(CONTROL.search(str(part.value)) for part in name):
        raise BadInput("the name of the certificate has control characters")
    return _checked(name.rfc4514_string())


def slashes(name: x509.Name) -> str:
    """The name as grid-mapfiles write it: to show, never to compare."""
    parts = [f"{SHORT.get(part.oid, part.oid.dotted_string)}={part.value!s}" for part in name]
    return CONTROL.sub("?", "".join(f"/{part}" for part in parts))


def read(text: str) -> str:
    """A name that a person wrote in either form, in RFC 4514. BadInput."""
    if CONTROL.search(text):
        raise BadInput("a name of a certificate has no control characters")
    try:
        name = _of_slashes(text) if text.startswith("/") else x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise BadInput(f"{text[:DN_MAX]!r} is no name of a certificate: {error}") from None
    return spelled(name)


def _of_slashes(text: str) -> x509.Name:
    before, *parts = PART.split(text)
    if before or not parts:
        raise ValueError("it does not begin with /NAME=value")
    return x509.Name([_attribute(part) for part in parts])


def _attribute(part: str) -> x509.NameAttribute:
    short, _, value = part.partition("=")
    oid = ATTRIBUTES.get(short.upper())
    if oid is None:
        raise ValueError(f"{short} is none of {', '.join(sorted(ATTRIBUTES))}")
    return x509.NameAttribute(oid, value)


def _checked(text: str) -> str:
    if not text:
        raise BadInput("the name of the certificate is empty")
    if len(text) > DN_MAX:
        raise BadInput(f"the name of the certificate has {len(text)} characters, not {DN_MAX}")
    return text
