"""All of PanDA's addresses and what becomes of a call of each: endpoints.csv has the verdicts.

`works`: it does here what it does there. `polite`: it is answered in a form that its callers take,
and nothing else happens. `not yet` and `not meant`: it is refused, with the reason.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import MethodNotAllowed

from jobs.api.panda import callers, others, pilots, sandboxes
from jobs.api.panda.answers import Refused
from jobs.api.panda.body import BODY_MAX, BULK_MAX, read
from jobs.api.panda.call import Call, Handler
from jobs.api.panda.client import doors
from jobs.api.panda.readers import READERS
from pandasite.base import rate

OPEN: Final = ("/server/panda/isAlive", "/api/v1/system/is_alive")  # also without a token
BULK: Final = ("/server/panda/updateJobsInBulk", "/api/v1/pilot/update_jobs_bulk")
# Of pilots alone: whether their token holds is asked by the statement that does the work.
BY_LEASE: Final = (
    "/server/panda/getJob", "/server/panda/updateJob", "/api/v1/pilot/acquire_jobs",
    "/api/v1/pilot/update_job", *BULK,
)  # fmt: skip
HANDLERS: Final[Mapping[str, Handler]] = {
    **pilots.HANDLERS, **others.HANDLERS, **sandboxes.HANDLERS, **doors.HANDLERS,
}  # fmt: skip
REFUSED: Final = {"not yet": "is not offered here yet", "not meant": "is not offered here"}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One address. `method` is GET, POST or any."""

    path: str
    method: str
    verdict: str
    note: str

    def answer(self, request: HttpRequest) -> Any:
        """What the address answers, before it is put into the form of its door."""
        self._check_method(request)
        if self.path in OPEN:
            return HANDLERS[self.path](Call(values={}, caller=None))
        if self.path in BY_LEASE:
            account = callers.pilot(request).account_id  # nothing is read of a stranger
            values = self._read(request, account)
            return callers.for_pilot(
                request, lambda caller: self._called(values, caller, site_of(request))
            )
        caller = callers.known(request)
        if self.verdict in REFUSED:
            raise Refused(f"{self.path} {REFUSED[self.verdict]}: {self.note}")
        who: int | str = getattr(caller, "account_id", 0) or f"user {caller}"
        if self.path in sandboxes.UPLOADS:
            with READERS.slot(who):
                return self._handled(request, {}, caller)
        return self._handled(request, self._read(request, who), caller)

    def _handled(self, request: HttpRequest, values: dict[str, Any], caller: Any) -> Any:
        call = Call(values=values, caller=caller, site=site_of(request), request=request)
        return HANDLERS[self.path](call)

    def _read(self, request: HttpRequest, account: int | str) -> dict[str, Any]:
        with READERS.slot(account):
            return read(request, max_bytes=BULK_MAX if self.path in BULK else BODY_MAX)

    def _called(self, values: dict[str, Any], caller: Any, site: str) -> Any:
        call = Call(values=values, caller=caller, site=site)
        # A pilot has a token like all of its site: it is its node that calls too often.
        node = values.get("node")
        who = f"{caller.account_id} {node if isinstance(node, str) else ''}"
        rate.count("node", who, most=settings.PANDASITE["NODE_CALLS"])
        return HANDLERS[self.path](call)

    def _check_method(self, request: HttpRequest) -> None:
        allowed = ("GET", "POST") if self.method == "any" else (self.method,)
        if request.method not in allowed:
            message = f"{self.path} is called by {' or '.join(allowed)}, not by {request.method}"
            raise MethodNotAllowed(request.method or "", detail=message)


def site_of(request: HttpRequest) -> str:
    """The address that was called: the host is one of ours, or nothing would be answered."""
    return f"{request.scheme}://{request.get_host()}"


def _table() -> dict[str, Endpoint]:
    text = files("jobs.api.panda").joinpath("endpoints.csv").read_text(encoding="utf-8")
    return {row["path"]: Endpoint(**row) for row in csv.DictReader(text.splitlines())}


TABLE: Final = _table()
