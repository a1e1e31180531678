"""One line per event, in UTC, to standard error and to the log of the job at hand."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pilot_client.text import clean


class OneLine(logging.Formatter):
    """`2009-09-17T14:09:00.123Z INFO claim: …`; a line break in a message becomes visible."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record)).replace("\n", "\\n")


def to_stderr() -> None:
    """Set up the log of the pilot."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    logger = logging.getLogger("pilot_client")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


@contextmanager
def also_to(path: Path) -> Iterator[None]:
    """Write the same lines to a file as long as the job runs."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(OneLine())
    logger = logging.getLogger("pilot_client")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
