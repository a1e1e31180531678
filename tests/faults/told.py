"""Workers that do what a message tells them, and nothing by themselves: for controls."""

from __future__ import annotations

from collections.abc import Sequence

import redis
from celery import Celery

from jobs.states import JobState
from pandasite.embedded.keys import Keys
from pandasite.embedded.valkey import broker_url, socket_path
from tests.faults.books import Books
from tests.faults.site import FaultSite
from tests.flow.installation import eventually

HEARD_SECONDS = 90.0  # on a busy machine


def broker(site: FaultSite) -> redis.Redis:
    """The broker itself; to be closed."""
    password = Keys.of(site.home.secrets).broker_password
    return redis.Redis(unix_socket_path=str(socket_path(site.home)), password=password)


def start_without_timetable(site: FaultSite) -> None:
    """The worker of the sweeps anew, without beat; it is there when this returns."""
    if site.runs("worker"):
        site.kill_piece("worker")
    with broker(site) as client:
        client.delete("celery")  # what the timetable has still asked for
    site.start("worker", site.worker("worker", "-Q", "celery", "-c", "1"))
    fold_by_message(site)


def fold_by_message(site: FaultSite, *, seconds: float = HEARD_SECONDS) -> None:
    """Until a worker has done something that it was told by a message."""
    before = site.sweeps_of("jobs.fold_counts")
    url = broker_url(site.home, Keys.of(site.home.secrets))
    with Celery(broker=url) as app:

        def told() -> bool:
            app.send_task("jobs.fold_counts")
            return site.sweeps_of("jobs.fold_counts") > before

        eventually(told, pause=1.0, seconds=seconds)


def lie_until_there_is_a_timetable(books: Books, panda_ids: Sequence[int]) -> None:
    """The end of a control: these jobs went nowhere; the product's own worker takes them on."""
    found = books.states(panda_ids)
    books.site.kill_piece("worker")
    books.site.start("worker")
    assert found == {JobState.DEFINED: len(panda_ids)}
    books.await_states(panda_ids, JobState.ACTIVATED)
