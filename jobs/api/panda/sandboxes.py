"""The file server of panda-client: sandboxes come, are found again, and are kept.

What is wrong with a file or a name is an answer of 200, whose message the client shows; what is
wrong with the caller or with this server keeps its status, as everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib.auth.models import User

from jobs.api.panda import multipart
from jobs.api.panda.answers import OK, Refused, Told
from jobs.api.panda.call import Call, Handler
from jobs.api.panda.fields import INT64, Said
from jobs.sandboxes import archive, names, services, shelf
from pandasite.base.clock import database_now
from pandasite.base.errors import BadInput, Conflict, DomainError, NotAllowed, NotThere, TooMuch
from pandasite.base.json import UnsupportedBody

log = logging.getLogger(__name__)
CRC_MAX: Final = 2**32 - 1
NOT_FOUND: Final = "NOTFOUND"
OF_THE_FILE: Final = (BadInput, TooMuch, Conflict, NotThere, UnsupportedBody)


def told_with_200(work: Callable[[Call], Any]) -> Handler:
    """What the client can do something about is a refusal in its envelope."""

    @wraps(work)
    def handler(call: Call) -> Any:
        try:
            return work(call)
        except OF_THE_FILE as error:
            log.info("sandbox_refused", extra={"problem": error.code, "reason": error.message})
            raise Refused(error.message, data=None) from error

    return handler


def person(call: Call) -> User:
    """Sandboxes are of people."""
    if not isinstance(call.caller, User):
        raise NotAllowed("sandboxes are sent by people, not by pilots", code="not_a_person")
    return call.caller


def found(call: Call) -> str:
    """The name of the same archive of this owner, empty when there is none."""
    owner, said = person(call), Said(call.values)
    size = said.whole("file_size", low=0, high=INT64, needed=True)
    crc32 = said.whole("checksum", low=0, high=CRC_MAX, needed=True)
    assert size is not None and crc32 is not None  # they are needed
    return services.find(owner=owner, size=size, crc32=crc32, now=database_now())


def validate(call: Call) -> Told:
    """FOUND:<host>:<file>. The client keeps its port and its scheme, and takes this host."""
    name = found(call)
    if not name:
        raise Refused(NOT_FOUND)
    return Told(message=f"FOUND:{urlsplit(call.site).hostname or ''}:{name}")


def check(call: Call) -> dict[str, Any]:
    """The same in the words of old."""
    values = {"file_size": call.values.get("fileSize"), "checksum": call.values.get("checkSum")}
    name = found(Call(values=values, caller=call.caller))
    return {"StatusCode": OK, "fileName": name, "message": f"FOUND:{name}" if name else NOT_FOUND}


def upload(call: Call) -> None:
    """Take a sandbox: looked through, and only then named."""
    owner, request = person(call), call.request
    assert request is not None  # an upload's handler gets it
    try:
        with shelf.arriving() as arrival:
            name = multipart.receive(request, arrival)
            whole = arrival.end()
            crc32 = archive.look_through(whole.path, most=names.limits(name).inflated)
            services.add(owner=owner, name=name, whole=whole, crc32=crc32, now=database_now())
    except DomainError:
        multipart.drain(request)
        raise
    log.info("sandbox_kept", extra={"sandbox": name, "size": whole.size, "user": str(owner)})


def touch(call: Call) -> None:
    """It is used: it stays."""
    owner = person(call)
    name = names.checked(Said(call.values).text("file_name", most=200, needed=True))
    if services.not_of(owner, [name]):
        raise NotThere(f"you have no sandbox {name}")
    services.touch([name], now=database_now(), always=True)


def touch_plain(call: Call) -> str:
    """The same in the words of old."""
    touch(Call(values={"file_name": call.values.get("filename")}, caller=call.caller))
    return "True"


def upload_plain(call: Call) -> str:
    """The same in the words of old."""
    upload(call)
    return "True"


HANDLERS: Final[Mapping[str, Handler]] = {
    "/api/v1/file_server/validate_cache_file": told_with_200(validate),
    "/api/v1/file_server/upload_cache_file": told_with_200(upload),
    "/api/v1/file_server/touch_cache_file": told_with_200(touch),
    "/server/panda/checkSandboxFile": told_with_200(check),
    "/server/panda/putFile": told_with_200(upload_plain),
    "/server/panda/touchFile": told_with_200(touch_plain),
}
UPLOADS: Final = ("/api/v1/file_server/upload_cache_file", "/server/panda/putFile")
