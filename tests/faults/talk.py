"""Programs of the tests that run beside it and are talked to over pipes, line by line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.conf import settings

from tests.faults.site import FaultSite


@contextmanager
def talking(
    site: FaultSite, module: str, *words: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A module of the tests in the environment of the site, or with more; gone at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        env={**site.environment(), **(environment or {})},
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: subprocess.Popen[str]) -> str:
    """Its next line; '' when it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
