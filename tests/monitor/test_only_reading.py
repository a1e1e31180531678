"""Reading: it changes nothing, it needs no right to write, and it comes to an end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import InternalError, connection
from django.test import Client

from pandasite.base import snapshot
from tests.api.calls import person
from tests.builders import create_cloud, create_job, create_site, create_user
from tests.monitor.addresses import one_of_each_page

HTMX = {"HX-Request": "true"}


@pytest.fixture
def addresses(transactional_db: None) -> list[str]:
    return one_of_each_page()


@pytest.mark.django_db(transaction=True)
def test_a_page_cannot_write(client: Client) -> None:
    with pytest.raises(InternalError, match="read-only"), snapshot.one_snapshot():
        create_cloud("XX")


@pytest.fixture
def read_only(transactional_db: None) -> Iterator[None]:
    """From `mark_read_only()` on, the database refuses every write of this connection."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")


def mark_read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    with pytest.raises(InternalError, match="read-only"):
        create_cloud("XX")


@pytest.mark.parametrize(
    ("who", "form"),
    [
        pytest.param("anybody", {}, id="anybody"),
        pytest.param("shifter", HTMX, id="shifter-htmx"),
        pytest.param("anybody", HTMX, id="anybody-htmx", marks=pytest.mark.long),
        pytest.param("shifter", {}, id="shifter", marks=pytest.mark.long),
    ],
)
def test_no_page_needs_to_write(
    read_only: None, client: Client, addresses: list[str], who: str, form: dict[str, str]
) -> None:
    # given
    if who == "shifter":
        client.force_login(create_user("shifter"))
    mark_read_only()
    # then
    for address in [
        *addresses,
        "/errors/?format=csv",
        "/jobs/?format=csv",
        "/jobs/?site=AGLT2&sort=-cpu",
    ]:
        assert client.get(address, headers=form).status_code == 200, address


def test_no_list_of_the_rest_door_needs_to_write(read_only: None) -> None:
    # given
    job = create_job("running", site=create_site())
    who = person()
    mark_read_only()
    # then
    for address in ("/rest/v1/jobs", f"/rest/v1/jobs/{job.pk}", "/rest/v1/schema"):
        assert who.get(address).status_code == 200, address


@pytest.mark.django_db(transaction=True)
def test_a_page_that_takes_too_long_asks_for_a_narrower_search(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(snapshot, "STATEMENT_MS", 50)

    def slow(*_args: Any, **_more: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(2)")

    monkeypatch.setattr("monitor.joblist.read", slow)
    # when
    answer = client.get("/jobs/")
    # then
    assert answer.status_code == 422
    assert "narrow your search" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_limit_on_time_ends_with_the_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(snapshot, "STATEMENT_MS", 50)
    # when
    client.get("/")
    # then
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.1)")


@pytest.mark.django_db
def test_what_takes_too_long_is_given_up_and_the_rest_has_its_own_limit() -> None:
    # given
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    def slow() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
        return "never"

    before = limit()
    # then
    assert snapshot.in_time(slow, ms=10) is None
    assert limit() == before
    assert snapshot.in_time(limit, ms=2345) == "2345ms"
    assert limit() == before
