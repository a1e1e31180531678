"""The dashboard of a moment ago: one reading for all who look, and none who waits for it."""

from collections.abc import Iterator
from threading import Event
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from jobs.models import Job
from monitor import recent
from tests.builders import create_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Boards are kept for five seconds, and read at once where that is done aside."""
    monkeypatch.setitem(settings.PANDASITE, "DASHBOARD_SECONDS", 5)
    monkeypatch.setattr("monitor.active.tasks", lambda **_: None)  # it has a thread of its own
    recent._boards.clear()
    yield
    recent._boards.clear()


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be read in a thread, to be read when the test says so."""
    started: list[Any] = []

    class Later:
        def __init__(self, *, target: Any, args: Any, **_: Any) -> None:
            self.read = lambda: target(*args)

        def start(self) -> None:
            started.append(self.read)

        def join(self, timeout: float) -> None:
            """The moment is over, and it was not read."""

    monkeypatch.setattr("monitor.recent.threading.Thread", Later)
    return started


def defined(address: str = "/?format=json") -> int:
    return int(Client().get(address).json()["total"]["defined"])


def grow_older(seconds: float) -> None:
    for board in recent._boards.values():
        board.read_at -= seconds


def test_who_looks_a_moment_later_sees_the_same_reading(threads: list[Any]) -> None:
    create_job()
    assert defined() == 1
    create_job()

    assert defined() == 1
    assert threads == []


def test_an_older_one_is_shown_while_it_is_read_anew(threads: list[Any]) -> None:
    create_job()
    defined()
    create_job()
    grow_older(6)

    assert defined() == 1
    assert defined() == 1
    (read,) = threads
    read()
    assert defined() == 2


def test_who_asks_first_sees_what_is_read_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.recent.PATIENCE", 30.0)  # a moment, however busy the machine is
    create_job()
    defined()
    create_job()
    grow_older(6)

    assert defined() == 2


def test_a_reading_that_takes_longer_is_waited_for_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_job()
    defined()
    create_job()
    grow_older(6)
    may_read, plainly = Event(), recent.dashboard.read

    def slowly(**asked: Any) -> Any:
        assert may_read.wait(60)
        return plainly(**asked)

    monkeypatch.setattr("monitor.recent.dashboard.read", slowly)
    assert [defined(), defined()] == [1, 1]
    reading = next(thread for thread in enumerate_threads() if thread.name == "dashboard")
    may_read.set()
    reading.join(60)

    assert defined() == 2


def test_one_that_nobody_looked_at_of_late_is_read_before_it_is_shown(threads: list[Any]) -> None:
    create_job()
    defined()
    create_job()
    grow_older(31)

    assert defined() == 2
    assert threads == []


def test_a_month_is_read_less_often(threads: list[Any]) -> None:
    create_job()
    assert defined("/?format=json&hours=720") == 1
    create_job()
    grow_older(29)
    assert defined("/?format=json&hours=720") == 1
    assert threads == []

    grow_older(2)
    defined("/?format=json&hours=720")
    assert len(threads) == 1


def test_what_was_drawn_of_one_is_drawn_of_the_next_before_anybody_asks(
    threads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a page that somebody looks at
    create_job()
    Client().get("/")
    create_job()
    grow_older(6)
    Client().get("/")
    # when
    threads.pop()()

    def too_late(*_: object) -> str:
        raise AssertionError("it has to be drawn already")

    monkeypatch.setattr("monitor.views.render_to_string", too_late)
    # then
    assert ">2</a>" in Client().get("/").text


def test_each_window_and_kind_of_jobs_is_a_board_of_its_own(threads: list[Any]) -> None:
    create_job(prod_source_label="user")
    assert [defined("/?format=json&kind=production"), defined("/?format=json&kind=analysis")] == [
        0,
        1,
    ]


def test_a_database_that_is_away_leaves_the_old_board(
    threads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_job()
    defined()
    grow_older(6)
    defined()

    def away(**_: object) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr("monitor.recent.dashboard.read", away)
        threads.pop()()

    assert defined() == 1
    threads.pop()()  # and the next one reads again
    assert Job.objects.count() == 1


def test_a_page_says_of_when_it_is(threads: list[Any]) -> None:
    first, second = (Client().get("/").content.decode() for _ in range(2))

    assert "As of " in first
    assert first[first.index("As of ") :][:60] == second[second.index("As of ") :][:60]


def test_pages_and_fragments_of_an_address_name_it(threads: list[Any]) -> None:
    for address in ("/?hours=3", "/?hours=3&kind=test"):
        page = Client().get(address).content.decode()
        assert f'hx-get="{address.replace("&", "&amp;")}"' in page
