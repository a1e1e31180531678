"""News of data management systems as they come over the wire, signed rightly or wrongly."""

from __future__ import annotations

import json
from typing import Any

from datasets.ddm import signing
from datasets.models import File, StorageElement
from pandasite.base.clock import database_now
from tests.api.calls import client

ADDRESS = "/rest/v1/ddm/callbacks"
SECRET = "s3cret-of-the-other-side-0123456789abcdef"
OLD_SECRET = "the-one-before-it-0123456789abcdef0123456789"
SECRETS = {"rucio": (SECRET, OLD_SECRET)}


def arrived(news_id: str, file: File, storage: StorageElement, **more: Any) -> dict[str, Any]:
    return {
        "id": news_id,
        "kind": "file_arrived",
        "scope": file.scope,
        "lfn": file.lfn,
        "storage": storage.name,
        "size": file.size,
        "adler32": file.adler32,
    } | more


def failed(news_id: str, file: File, storage: StorageElement, **more: Any) -> dict[str, Any]:
    news = {"id": news_id, "kind": "file_failed", "scope": file.scope, "lfn": file.lfn}
    return news | {"storage": storage.name, "reason": "no route to host"} | more


def tell(*news: dict[str, Any], raw: bytes = b"", **signed: Any) -> Any:
    """POST the news; `secret`, `sender`, `time` and `signature` are right unless given."""
    body = raw or json.dumps({"news": list(news)}).encode()
    sender = signed.get("sender", "rucio")
    time = signed.get("time", int(database_now().timestamp()))
    headers = signing.signed(signed.get("secret", SECRET), sender=sender, time=time, body=body)
    if "signature" in signed:
        headers[signing.SIGNATURE] = signed["signature"]
    return client().generic("POST", ADDRESS, body, content_type="application/json", headers=headers)


def outcomes(answer: Any) -> list[str]:
    """What became of each: the outcome, or the code of the refusal."""
    assert answer.status_code in (200, 207), answer.content
    told = answer.json()["answers"]
    return [one.get("outcome") or one["problem"]["code"] for one in told]
