"""What gunicorn lets through to the site."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.http.parser import RequestParser

from pandasite.launcher import gunicorn_conf


@pytest.fixture
def config() -> Config:
    """As gunicorn reads ours."""
    made = Config()
    for name, value in vars(gunicorn_conf).items():
        if name in made.settings:
            made.set(name, value)
    return made


def parse(config: Config, *, line: int = 100, headers: int = 1, size: int = 100) -> Any:
    """A request with a first line of so many bytes, and so many headers of so many bytes."""
    first = "GET /" + "x" * (line - len("GET / HTTP/1.1")) + " HTTP/1.1"
    rest = [f"X-{n}: " + "y" * (size - len(f"X-{n}: ")) for n in range(headers)]
    raw = "\r\n".join([first, *rest, "", ""]).encode()
    return next(RequestParser(config, iter([raw]), ("127.0.0.1", 1)))


def test_an_address_of_eight_thousand_bytes_reaches_the_site(config: Config) -> None:
    assert len(parse(config, line=8190).path) > 8000
    with pytest.raises(LimitRequestLine):
        parse(config, line=8193)


def test_headers_are_bounded_in_number_and_size(config: Config) -> None:
    assert len(parse(config, headers=64).headers) == 64
    assert parse(config, size=8000)
    with pytest.raises(LimitRequestHeaders):
        parse(config, headers=65)
    with pytest.raises(LimitRequestHeaders):
        parse(config, size=9000)


def test_a_worker_has_a_file_for_each_connection_that_it_accepts(config: Config) -> None:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert config.worker_connections + gunicorn_conf.FILES_OF_OURS <= soft
    assert config.worker_connections > 2 * config.threads


@pytest.mark.parametrize(
    ("limits", "found", "asked"),
    [
        ((1024, 524_288), 8192, [(8192, 524_288)]),
        ((1024, 4096), 4096, [(4096, 4096)]),
        ((1024, resource.RLIM_INFINITY), 8192, [(8192, resource.RLIM_INFINITY)]),
        ((20_000, 20_000), 8192, []),
        ((1024, 1024), 1024, []),
    ],
)
def test_as_many_files_are_asked_for_as_may_be_had(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    found: int,
    asked: list[tuple[int, int]],
) -> None:
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _what, limits: said.append(limits))

    assert gunicorn_conf.open_files() == found
    assert said == asked


def test_the_views_are_loaded_before_the_workers_fork() -> None:
    """Else each worker loads them at its first request, and one that replaces another is slow."""
    look = "import sys, pandasite.wsgi; print('jobs.api.pilot' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)

    assert answer.stdout == "True\n", answer.stderr
