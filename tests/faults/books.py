"""What a test does with the site's books: makes places, submits, and reads what became of it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection

from brokerage.models import Site
from jobs import identity, services
from jobs.models import Job, JobEvent
from jobs.states import LIVE, JobState
from pandasite.base.clock import database_now
from tests.builders import create_cloud, create_site, create_storage, create_vo
from tests.faults.asking import Asker
from tests.faults.grid import Place, job_body, new_name
from tests.faults.history import History, Outcome
from tests.faults.pilots import Pilot, new_key
from tests.faults.site import FaultSite
from tests.flow.installation import eventually

SUBMIT = "/rest/v1/jobs"
KILL = "/rest/v1/jobs/kill"
PER_CALL = 500  # jobs of a submission
BROKERAGE_SECONDS = 90.0  # for thousands of jobs, on a busy machine
PAGE = 2000  # rows asked for at once
_tags = itertools.count(1)


class Books:
    """The site of one test, and the history of what its clients did."""

    def __init__(self, site: FaultSite) -> None:
        self.site = site
        self.history = History()
        self.places: list[Place] = []
        self.jobs: list[int] = []
        self._manager: Asker | None = None
        self._pilots: list[Pilot] = []

    # -- what there is ---------------------------------------------------------------------

    def place(self, **columns: Any) -> Place:
        """A new site with its storage, and a token for its pilots."""
        name = new_name()
        folder = self.site.home.path / "storage" / name
        folder.mkdir(parents=True)
        with self.site.books():
            site = create_site(name, cloud=create_cloud("US"), with_storage=False, **columns)
            room = {"capacity_bytes": 10**15, "threshold_gb": 0}
            create_storage(f"{name}_DISK", url=f"file://{folder}", sites=[site], **room)
            create_vo("atlas")
            token = identity.new_pilot_token(site)
        self.places.append(Place(name=name, pk=site.pk, token=token))
        return self.places[-1]

    @property
    def manager(self) -> Asker:
        """Who submits and kills."""
        if self._manager is None:
            with self.site.books():
                user = identity.person("faults-manager")
                words = ["submit_production", "kill_any_job"]
                user.user_permissions.set(Permission.objects.filter(codename__in=words))
                token = identity.new_token(user, days=1)
            self._manager = Asker(self.site.url, token, self.history)
        return self._manager

    def pilot(self, place: Place, *, url: str = "", forgetful: bool = False) -> Pilot:
        """A pilot of this place, until the test ends."""
        pilot = Pilot(place, self.history, url=url or self.site.url, forgetful=forgetful)
        self._pilots.append(pilot)
        return pilot

    # -- what is done ----------------------------------------------------------------------

    def submit(self, place: Place, number: int, **fields: Any) -> list[int]:
        """Jobs for this place, as a production manager submits them; their PandaIDs."""
        tag = f"t{next(_tags)}"
        bodies = [job_body(tag, nr, site=place.name, **fields) for nr in range(number)]
        panda_ids = []
        for at in range(0, number, PER_CALL):
            done = self.manager.insist(
                "submit", SUBMIT, {"jobs": bodies[at : at + PER_CALL]}, key=new_key()
            )
            assert done.outcome is Outcome.OK, done.answer
            panda_ids += [int(job["panda_id"]) for job in done.answer["jobs"]]
        self.jobs += panda_ids
        return panda_ids

    def activated(self, place: Place, number: int, **fields: Any) -> list[int]:
        """The same, and brokerage has done its part."""
        panda_ids = self.submit(place, number, **fields)
        self.await_states(panda_ids, JobState.ACTIVATED, seconds=BROKERAGE_SECONDS)
        return panda_ids

    def kill(self, panda_id: int) -> int:
        """Kill one job as its owner; the status of the answer."""
        body = {"panda_ids": [panda_id], "reason": "a test of faults"}
        return self.manager.insist("kill", KILL, body, key=new_key()).status

    def end_leases(self, panda_ids: Sequence[int], *, seconds: float) -> None:
        """As if these jobs had been given leases that end so soon.

        Leases that are really so short would end too early where a machine is slow.
        """
        with self.sql() as cursor:
            cursor.execute(
                "WITH end_of AS (SELECT clock_timestamp() + make_interval(secs => %s) AS at)"
                " UPDATE jobs_pulse SET lease_until = at, due = at FROM end_of"
                " WHERE job_id = ANY(%s)",
                [seconds, list(panda_ids)],
            )

    # -- what is read ----------------------------------------------------------------------

    def rows(self, panda_ids: Sequence[int], *columns: str) -> Iterator[tuple[Any, ...]]:
        """These columns of the jobs, live and ended; inside `site.books()`."""
        for page in pages(panda_ids):
            yield from Job.objects.filter(pk__in=page).order_by("pk").values_list(*columns)

    def states(self, panda_ids: Sequence[int]) -> Counter[str]:
        return self.count(panda_ids, "state")

    def attempts(self, panda_ids: Sequence[int]) -> Counter[int]:
        """How many jobs had so many attempts."""
        return self.count(panda_ids, "attempt_nr")

    def count(self, panda_ids: Sequence[int], column: str) -> Counter[Any]:
        with self.site.books():
            return Counter(row[0] for row in self.rows(panda_ids, column))

    def await_states(
        self, panda_ids: Sequence[int], *states: JobState, seconds: float = 60.0
    ) -> None:
        """Until each of the jobs is in one of these."""

        def are() -> bool:
            found = self.states(panda_ids)
            return sum(found[state] for state in states) == len(panda_ids)

        def trouble() -> str:
            return f"{self.states(panda_ids)}; {self.site.trouble()}"

        eventually(are, seconds=seconds, pause=0.1, what=trouble)

    def clear(self) -> None:
        """Nothing that is left of this test is worked on any more."""
        for asker in [*([self._manager] if self._manager else []), *self._askers()]:
            asker.close()
        with self.site.books():
            left = Job.objects.filter(
                computing_site__in=[place.pk for place in self.places], state__in=LIVE
            ).exclude(state__in=[JobState.HOLDING, JobState.TRANSFERRING])
            services.cancel_killed(left, actor="tests", now=database_now(), why="the test is over")
            Site.objects.filter(pk__in=[place.pk for place in self.places]).update(
                status=Site.Status.OFFLINE
            )

    def _askers(self) -> list[Asker]:
        return [pilot.asker for pilot in self._pilots]

    @contextmanager
    def sql(self) -> Iterator[Any]:
        """A cursor."""
        with self.site.books(), connection.cursor() as cursor:
            yield cursor


def pages(panda_ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(panda_ids)
    for at in range(0, len(ordered), PAGE):
        yield ordered[at : at + PAGE]


def events_of(panda_ids: Iterable[int]) -> Iterator[tuple[int, int, str]]:
    """(PandaID, attempt, state) of each change, in order; inside `site.books()`."""
    for page in pages(list(panda_ids)):
        rows = JobEvent.objects.filter(job__in=page).order_by("job", "seq")
        yield from rows.values_list("job_id", "attempt_nr", "to_state")
