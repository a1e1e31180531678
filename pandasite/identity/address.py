"""The client's own address, from the server in front: else all clients would be one to us.

Wrong passwords and tokens are counted by address, and it stands in the log.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from pandasite.identity.x509.front import PEER, is_front

ADDRESS = "HTTP_CLIENTADDRESS"


class ClientAddressMiddleware:
    """Believes `Clientaddress` of the server in front, known by its address and its secret.

    `X-Forwarded-For` is never looked at: anybody may begin it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        if ADDRESS in meta and is_front(meta, settings.PANDASITE_FRONT):
            try:
                address = str(ipaddress.ip_address(meta[ADDRESS]))
            except ValueError:
                pass  # the server in front is all that is known
            else:
                meta[PEER], meta["REMOTE_ADDR"] = meta["REMOTE_ADDR"], address
        return self.get_response(request)
