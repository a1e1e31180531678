"""Logs: one JSON object per line on stderr, with the request id and without secrets.

structlog's loggers and the plain `logging` ones (ours and every library's) end in the same
formatter, so a line looks the same wherever it comes from. Fields given by `extra={...}` become
keys. JSON escapes line ends, so a job name with a newline in it is still one line.

This module is imported by the settings: it may not read them.
"""

from __future__ import annotations

import logging
import logging.config
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import structlog
from celery import Celery
from celery.signals import setup_logging

MASK: Final = "[masked]"
DEEPEST: Final = 8
LONGEST_REQUEST: Final = 2000  # characters of an address in a line

# Keys whose whole value is a secret. `space_token` is a storage area, no secret.
_SECRET_KEY = re.compile(
    r"(?i)(?!space_token)[\w-]*(authorization|cookie|token|passw|secret|api_?key|private_?key"
    r"|credential|sessionid|broker_url|database_url)"
)
_SECRETS_IN_TEXT: Final = (
    # PEM blocks (keys, proxies): to their end, or to the end of the text when cut.
    (re.compile(r"-----BEGIN.*?(?:-----END[^-]*-----|\Z)", re.DOTALL), MASK),
    # HTTP headers, as text or as the repr of a dict.
    (
        re.compile(r"(?i)((?:authorization|cookie)['\"]?\s*[:=]\s*['\"]?)[^'\"\r\n]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|token|basic)\s+[A-Za-z0-9+/=._~-]{16,}"), rf"\1 {MASK}"),
    # key=value, "key": "value" and query strings.
    (
        re.compile(
            r"(?i)(?<!space_)((?:token|password|passwd|secret|secret_key|api_key|sessionid)"
            r"['\"]?\s*[:=]\s*['\"]?)[^\s'\"&,;})]+"
        ),
        rf"\1{MASK}",
    ),
    # With what an issuer sends somebody back who has logged in.
    (re.compile(r"(/login/issuer/callback/\?)[^\s'\"]+"), rf"\1{MASK}"),
    # The password of a URL.
    (re.compile(r"(\w://[^\s:/@]*:)[^\s/@]+@"), rf"\1{MASK}@"),
)

# The middleware that belongs together, outermost first; see pandasite/base/middleware.py.
LOG_MIDDLEWARE: Final = (
    "pandasite.base.middleware.RequestIdMiddleware",
    "pandasite.base.door.RequestLogMiddleware",
)

# Settings of django-structlog, each as DJANGO_STRUCTLOG_<name>.
DJANGO_STRUCTLOG: Final[Mapping[str, Any]] = {
    "DJANGO_STRUCTLOG_CELERY_ENABLED": True,
    # RequestIdMiddleware has checked or made the id.
    "DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID": True,
    # Both would ask somebody else: the client (X-Forwarded-For), and the session's database
    # at the end of every request. RequestIdMiddleware binds what is known without asking.
    "DJANGO_STRUCTLOG_IP_LOGGING_ENABLED": False,
    "DJANGO_STRUCTLOG_USER_ID_FIELD": "",
    # One line per request, and none per sweep that goes well.
    "DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL": logging.DEBUG,
    "DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL": logging.DEBUG,
}


def logging_config(level: str) -> dict[str, Any]:
    """Django's `LOGGING`: everything from `level` on, one JSON line each, on stderr."""
    plain: dict[str, Any] = {"handlers": [], "propagate": True}
    celery_level = "DEBUG" if level == "DEBUG" else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": _last_processors(),
                "foreign_pre_chain": [*_first_processors(), structlog.stdlib.ExtraAdder()],
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "json",
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django brings handlers of its own, which would write other formats.
            "django": plain,
            "django.server": plain,
            "_granian": plain,
            # django-structlog writes each failed request once, with its id and trace.
            "django.request": {"level": "CRITICAL"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Three lines for every sweep that goes well would be a hundred megabytes a day.
            "celery.beat": {"level": celery_level},
            "celery.worker.strategy": {"level": celery_level},
            "celery.app.trace": {"level": celery_level},
        },
    }


def configure_structlog() -> None:
    """Send structlog's own loggers through the standard ones, once per process."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_first_processors(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def setup_celery_logging(app: Celery) -> None:
    """Make the workers of `app` log like the web server, with the id of the asking request."""
    from django_structlog.celery.steps import DjangoStructLogInitStep

    app.steps["worker"].add(DjangoStructLogInitStep)
    setup_logging.connect(_worker_logging, dispatch_uid="pandasite.base.logging")


def mask_secrets(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """structlog processor: replace what must not be read in a log by `[masked]`."""
    masked = {key: _masked(key, value, DEEPEST) for key, value in event.items()}
    request = masked.get("request")
    if isinstance(request, str) and len(request) > LONGEST_REQUEST:
        masked["request"] = f"{request[:LONGEST_REQUEST]}..."
    return masked


def masked_text(text: str) -> str:
    """`text` without the tokens, passwords, cookies and keys in it."""
    for pattern, replacement in _SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _masked(key: Any, value: Any, levels: int) -> Any:
    if isinstance(key, str) and _SECRET_KEY.match(key) and value not in (None, ""):
        return MASK
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return masked_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return _masked_inside(value, levels - 1)


def _masked_inside(value: Any, levels: int) -> Any:
    """Containers item by item; any other object as the text it would be written as."""
    if levels and isinstance(value, Mapping):
        return {str(key): _masked(key, item, levels) for key, item in value.items()}
    if levels and isinstance(value, list | tuple | set | frozenset):
        return [_masked(None, item, levels) for item in value]
    return masked_text(str(value))


def _first_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _last_processors() -> list[Any]:
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        # The trace becomes text before the masking, for it quotes the message of the error.
        structlog.processors.format_exc_info,
        mask_secrets,
        structlog.processors.JSONRenderer(),
    ]


def _worker_logging(**_: Any) -> None:
    """Being connected is enough to keep Celery's own formats away."""
    from django.conf import settings

    configure_structlog()
    logging.config.dictConfig(settings.LOGGING)
