"""Which hosts may be spoken to: no address leads to this machine's own services by a detour.

The address of a storage element is an administrator's, but what its name resolves to is not, nor
where a server would like to redirect to. So the check is made on the address of each connection,
right before it is opened; redirects are not followed at all.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from django.conf import settings

from datasets.storage.base import StorageError

# 0x7f000001, 2130706433, 0177.1: numbers that the resolver takes for an address.
_NUMBERS = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+))*", re.IGNORECASE)


def checked_url(url: str) -> str:
    """The address, whose host must be named plainly. Raises StorageError."""
    parts = urlsplit(url)
    try:
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise StorageError(f"the address has no usable port: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise StorageError("an address holds no user and no password: they are a secret")
    if not host:
        raise StorageError("the address names no host")
    if _NUMBERS.fullmatch(host) and not _is_plain_ip(host):
        raise StorageError(f"the host {host} is written as a number")
    if _is_ip(host):
        refuse(host, host)
    return url


def addresses(host: str, port: int) -> list[str]:
    """What the host resolves to, each of which may be spoken to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StorageError(f"{host}: name or service not known") from error
    ips = [str(entry[4][0]) for entry in found]
    for ip in ips:
        refuse(ip, host)
    return ips


def refuse(ip: str, host: str) -> None:
    """StorageError for an address that is not a storage element's."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.is_loopback and settings.PANDASITE_STORAGE_LOOPBACK:
        return
    if (
        mapped.is_loopback
        or mapped.is_link_local
        or mapped.is_unspecified
        or mapped.is_multicast
        or mapped.is_reserved
    ):
        raise StorageError(f"the host {host} is at {ip}, which is no storage element's address")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_plain_ip(host: str) -> bool:
    return _is_ip(host) and host == str(ipaddress.ip_address(host))
