"""Log lines: one JSON object each, with the request id, without secrets."""

import io
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
import structlog

from pandasite.base.logging import MASK, logging_config, mask_secrets, masked_text

CANARY = "c4n4ry0123456789abcdef0123456789abcdef"
PROXY = f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----"


def lines_of(message: object, *args: object, level: int = logging.INFO, **kwargs: Any) -> list[str]:
    """What the configured formatter writes for one call of a plain logger."""
    config = logging_config("INFO")["formatters"]["json"]
    formatter = config.pop("()")(**config)
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(formatter)
    logger = logging.getLogger("jobs.dispatch")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.log(level, message, *args, **kwargs)
    logger.removeHandler(handler)
    return stream.getvalue().splitlines()


def event(message: object, *args: object, **kwargs: Any) -> dict[str, Any]:
    (line,) = lines_of(message, *args, **kwargs)
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_plain_call_becomes_one_object() -> None:
    line = event("claimed %s", 7, extra={"site": "AGLT2", "panda_id": 7})
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "claimed 7",
        "level": "info",
        "logger": "jobs.dispatch",
        "site": "AGLT2",
        "panda_id": 7,
    }


def test_the_request_id_is_in_every_line() -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc-1"):
        assert event("x")["request_id"] == "abc-1"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x85", "\x0b"])
def test_a_name_with_a_line_end_is_one_line(end: str) -> None:
    forged = f"job{end}{{'event': 'forged'}}"
    assert event("submitted %s", forged, extra={"job": forged})["job"] == forged


def test_a_trace_is_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        line = event("failed", level=logging.ERROR, exc_info=True)
    assert "ValueError: first\nsecond" in line["exception"]


@pytest.mark.parametrize(
    "key",
    [
        "authorization", "Authorization", "HTTP_AUTHORIZATION", "Cookie", "set-cookie",
        "lease_token", "token", "password", "PGPASSWORD", "secret_key", "SECRET_KEY", "api_key",
        "sessionid", "BROKER_URL", "DATABASE_URL", "credentials",
    ],
)  # fmt: skip
def test_the_value_of_a_secret_key_is_masked(key: str) -> None:
    inside = {"headers": [{key: CANARY}]}
    masked = mask_secrets(None, "info", {"event": "x", key: CANARY, "deep": inside})
    assert CANARY not in json.dumps(masked)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Token {CANARY}",
        f"{{'Authorization': 'Bearer {CANARY}'}}",
        f"got token {CANARY} from the pilot",
        f"Bearer {CANARY}",
        f"Basic {CANARY}==",
        f"Cookie: sessionid={CANARY}; csrftoken={CANARY}",
        f'{{"lease_token": "{CANARY}"}}',
        f"lease_token='{CANARY}'",
        f"GET /rest/v1/jobs?token={CANARY}&limit=1",
        f"GET /login/issuer/callback/?code={CANARY}&state={CANARY}",
        f"password={CANARY} host=db",
        f"postgres://panda:{CANARY}@db:5432/panda",
        f"redis://:{CANARY}@broker:6379/0",
        PROXY,
        PROXY[:60],
        f"before {PROXY} after",
    ],
)
def test_a_secret_in_a_text_is_masked(text: str) -> None:
    assert CANARY not in masked_text(text)
    assert MASK in masked_text(text)
    line = event("seen: %s", text, extra={"body": {"text": [text]}, "raw": text.encode()})
    assert CANARY not in json.dumps(line)


def test_a_secret_in_a_trace_is_masked() -> None:
    try:
        raise ConnectionError(f"cannot reach redis://:{CANARY}@broker:6379/0")
    except ConnectionError:
        line = event("failed", level=logging.ERROR, exc_info=True)
    assert CANARY not in json.dumps(line) and "broker:6379" in line["exception"]


@pytest.mark.parametrize(
    "text",
    [
        "tokens are checked every 10 s",
        "GET /rest/v1/jobs?site=AGLT2&space_token=ATLASDATADISK",
        "http://127.0.0.1:8000/jobs/7 at 10:30",
        "EVNT.027086._00001.pool.root.1",
    ],
)
def test_what_is_no_secret_is_kept(text: str) -> None:
    assert masked_text(text) == text
    assert mask_secrets(None, "", {"space_token": "ATLASDATADISK", "password": ""}) == {
        "space_token": "ATLASDATADISK",
        "password": "",
    }


def test_any_object_can_be_logged() -> None:
    loop: list[Any] = []
    loop.append(loop)
    line = event(
        "odd", extra={"loop": loop, "thing": object, "number": 1.5, "keys": {(1, 2): None}}
    )
    assert line["number"] == 1.5 and line["keys"] == {"(1, 2)": None}


PROCESS = """
import logging.config, warnings, structlog
from pandasite.base.logging import configure_structlog, logging_config
logging.config.dictConfig(logging_config("INFO"))
configure_structlog()
structlog.contextvars.bind_contextvars(request_id="abc-1")
structlog.get_logger("ours").info("one", lease_token="secret-secret", site="AGLT2")
structlog.get_logger("ours").debug("not shown")
logging.getLogger("django.server").warning("two\\nlines")
logging.getLogger("_granian").info("three")
logging.getLogger("django.request").error("django-structlog says it")
"""


def test_a_process_writes_one_object_per_line_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True, timeout=60
    )
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.stdout == ""
    assert [e["event"] for e in events] == ["one", "two\nlines", "three"]
    assert {e["request_id"] for e in events} == {"abc-1"}
    assert events[0]["lease_token"] == MASK
