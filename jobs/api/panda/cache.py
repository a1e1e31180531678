"""What is fetched: sandboxes at /cache/<name>, transformations at /trf/user/<name>."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from jobs.api.panda import callers
from jobs.models import Sandbox
from jobs.sandboxes import needs, services, shelf
from jobs.sandboxes.names import NAME
from jobs.trf.programs import program
from pandasite.base.clock import database_now
from pandasite.base.errors import DomainError, NotThere
from pandasite.base.problems import ProblemResponse, logged

KEPT_SECONDS: Final = 300
KEY: Final = "X-Sandbox-Key"  # not in the address, which is in the log


@require_safe
def sandbox_view(request: HttpRequest, name: str) -> HttpResponseBase:
    """The archive, for who has a key for it, and for its owner; to others it is not there."""
    try:
        return _sandbox(request, name)
    except Exception as error:  # noqa: BLE001 - as DRF's exception_handler
        return ProblemResponse(logged(error))


@require_safe
def program_view(_request: HttpRequest, name: str) -> HttpResponse:
    """A transformation: it holds nothing that not everybody may see."""
    found = program(name)
    if found is None:
        return ProblemResponse(logged(NotThere(f"there is no transformation {name[:64]}")))
    headers = {"Cache-Control": f"max-age={KEPT_SECONDS}", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(found.text, content_type="text/x-python; charset=utf-8", headers=headers)


def _sandbox(request: HttpRequest, name: str) -> HttpResponseBase:
    now = database_now()
    given = request.headers.get(KEY, "")
    caller = None if given and needs.opens(name, given, now=now) else callers.known(request)
    row = Sandbox.objects.filter(name=name).first() if NAME.fullmatch(name) else None
    file = shelf.open_one(name) if row and _may_read(caller, row) else None
    if file is None:
        raise _not_there(name)
    services.touch([name], now=now)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return FileResponse(
        file,
        as_attachment=True,
        filename=name,
        content_type="application/gzip",
        headers=headers,
    )


def _may_read(caller: Any, row: Sandbox) -> bool:
    """None: a key has opened it. A pilot's token opens none: its job brings the key."""
    return caller is None or (isinstance(caller, User) and caller.pk == row.owner_id)


def _not_there(name: str) -> DomainError:
    return NotThere(f"there is no sandbox {name[:64]}")
