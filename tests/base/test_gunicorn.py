"""What gunicorn lets through to the site."""

from __future__ import annotations

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
