"""The demo's course: grid, software, pilots, and wave after wave of productions."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import requests
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection

from jobs.proddb.door import Away
from pandasite.base.clock import database_now
from pandasite.demo import accounts, archive, pilots, proddb, software, watch
from pandasite.demo.client import Client
from pandasite.demo.grid import SITES, DemoFolder
from pandasite.demo.links import load_links
from pandasite.demo.load import load_grid, load_transformations
from pandasite.demo.productions import HOME_STORAGE, Production, productions
from pandasite.demo.screen import Screen
from pandasite.demo.verdict import Expectation, deviations, settled
from pandasite.demo.wave import Wave
from pandasite.engines import unhurried
from pandasite.launcher import Stack

# Made for watching: what takes minutes or hours in production takes seconds here.
PACE = {
    "PANDASITE_SWEEP_SECONDS": "1",
    "PANDASITE_DASHBOARD_SECONDS": "0",  # one who looks sees what is
    "PANDASITE_LEASE_SECONDS": "60",
    "PANDASITE_LEASE_GRACE_SECONDS": "5",
    "PANDASITE_SENT_SECONDS": "60",
    "PANDASITE_HEARTBEAT_SECONDS": "5",
    "PANDASITE_RETRY_AFTER_SECONDS": "2",
    "PANDASITE_TRANSFER_RETRY_SECONDS": "2",
    "PANDASITE_CLOSE_MINUTES": "1",
    "PANDASITE_BAMBOO_SECONDS": "10",
    "PANDASITE_UPLOAD_STORAGE": HOME_STORAGE,  # so that `pandasite data put` has a place
    "PANDASITE_BUNCH_SIZE": "2",  # a wave is small, and its jobs should be seen at several sites
}
LOOK_SECONDS = 1.0
BAMBOO_SECONDS = 240.0  # for some of its cycles, and the engine, to make what was asked for


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the demo runs. `patience`: s after which a wave is judged as it is."""

    once: bool = False
    pilots_per_site: int = 1
    every: float = 300.0  # s from the end of a wave to the next
    patience: float = 900.0


class Demo:
    """One run of the demo on a site that is up."""

    def __init__(self, *, stack: Stack, options: Options, screen: Screen) -> None:
        self.stack = stack
        self.options = options
        self.screen = screen
        self.folder = DemoFolder(stack.home.path)
        self.client: Client | None = None

    def run(self) -> bool:
        """1. the web answers; 2. grid and software; 3. pilots; 4. the first wave, which is the
        one that a killed demo left unfinished, if there is one; 5. without `once`, a small wave
        every few minutes until told to stop. True when every judged wave ended as intended.
        """
        self.wait_for_web()
        with unhurried(connection):
            load_grid(self.folder, now=database_now())
            load_transformations()
            load_links()
        for place in SITES:
            software.install(self.folder, place)
        self.start_pilots()
        self.client = Client(self.stack.url, accounts.manager_token(), pause=self.rest)
        wave = self.first_wave()
        good = self.play(wave)
        while not self.options.once and not self.stack.stopping:
            self.rest(self.options.every)
            wave = Wave(number=wave.number + 1, small=True)
            good = self.play(wave) and good
        return good

    def wait_for_web(self) -> None:
        """The dashboard answers; LaunchError with the end of its log when it does not."""
        self.stack.wait_for(["web"], self._web_answers, seconds=60)

    def _web_answers(self) -> bool:
        try:
            return requests.get(f"{self.stack.url}healthz/live", timeout=5).ok
        except requests.RequestException:
            return False

    def start_pilots(self) -> None:
        """Each site's pilots, each with a token that is good for that site alone."""
        environment = pilots.environment(self.stack.child_environment(), code=settings.BASE_DIR)
        for place in SITES:
            token = accounts.write_token(self.folder, place, accounts.pilot_token(place))
            for slot in range(1, self.options.pilots_per_site + 1):
                argv = pilots.command(
                    self.folder, place, slot=slot, server=self.stack.url, token_file=token
                )
                self.stack.add(pilots.pilot_name(place, slot), argv, environment)
        self.screen.say(f"{len(SITES) * self.options.pilots_per_site} pilots at {len(SITES)} sites")

    def first_wave(self) -> Wave:
        """The wave that was cut short, or else the next one."""
        latest = watch.latest_wave()
        if latest is None:
            return Wave(number=1)
        if self.unfinished(latest):
            self.screen.say(f"going on with wave {latest.number}, which was cut short")
            return latest
        return Wave(number=latest.number + 1)

    def unfinished(self, wave: Wave) -> bool:
        """Whether some of the wave was not submitted, or is not final."""
        names = [job.name for part in productions(wave) for job in part.jobs]
        found = watch.look(wave).jobs
        return set(names) != {job.name for job in found} or not all(job.final for job in found)

    def play(self, wave: Wave) -> bool:
        """Submit a wave, watch it to its end, and say what came of it."""
        begun = time.monotonic()
        archive.prepare(self.folder, wave, now=database_now())
        parts = productions(wave)
        for part in parts:
            self.submit(part)
        expected = self.expected(parts)
        self.screen.say(f"wave {wave.number}: {len(expected)} jobs submitted")
        over = self.watch(wave, expected, begun)
        if not over and self.stack.stopping:
            return True  # nobody waited for the end, so there is nothing to judge
        return self.judge(wave, expected, time.monotonic() - begun)

    def submit(self, production: Production) -> None:
        """Submit a production, or ask for it in prodDB, unless that was done before."""
        assert self.client is not None
        if watch.known_ids([job.name for job in production.jobs]):
            return
        if production.request:
            proddb.ask_for(production, now=database_now())
        else:
            self.client.submit(production)
        how = "asked for in prodDB" if production.request else "submitted over REST"
        self.screen.say(f"  {len(production.jobs):2d} x {production.title}, {how}")

    def expected(self, parts: Sequence[Production]) -> list[Expectation]:
        """All jobs with their PandaIDs, once Bamboo has submitted those of prodDB."""
        jobs = watch.as_administered(job for part in parts for job in part.jobs)
        names = [job.name for job in jobs]
        self.until(lambda: len(watch.known_ids(names)) == len(names), seconds=BAMBOO_SECONDS)
        known = watch.known_ids(names)
        return [Expectation(panda_id=known.get(job.name, 0), plan=job) for job in jobs]

    def watch(self, wave: Wave, expected: Sequence[Expectation], begun: float) -> bool:
        """Show the progress until every job is final, and prodDB knows; False when that did not
        come."""

        def is_over() -> bool:
            found = watch.look(wave)
            self.screen.progress(watch.progress_line(found, seconds=time.monotonic() - begun))
            return settled(expected, found.jobs) and proddb.has_heard(wave)

        return self.until(is_over, seconds=self.options.patience)

    def judge(self, wave: Wave, expected: Sequence[Expectation], seconds: float) -> bool:
        """Print the summary; True when all is as intended."""
        found = watch.look(wave)
        self.screen.say(f"wave {wave.number}")
        for line in watch.summary(found, expected, seconds=seconds):
            self.screen.say(f"  {line}")
        for line in proddb.summary(wave):
            self.screen.say(f"  {line}")
        return not deviations(expected, found.jobs) and proddb.is_done(wave)

    def rest(self, seconds: float) -> None:
        """Let time pass while the children are looked after."""
        self.until(lambda: False, seconds=seconds)

    def until(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """Ask about once a second until it is so (True), time is up, or we shall stop (False)."""
        deadline, result, next_look = time.monotonic() + seconds, False, 0.0

        def enough() -> bool:
            nonlocal result, next_look
            now = time.monotonic()
            if now >= next_look:
                next_look = now + LOOK_SECONDS
                result = self.asked(ready)
            return result or now >= deadline

        self.stack.run(until=enough)
        return result

    def asked(self, ready: Callable[[], bool]) -> bool:
        """The answer, or False while the database is being started again."""
        close_old_connections()
        try:
            return ready()
        except (OperationalError, Away) as error:
            self.screen.progress(f"the database does not answer: {error}".splitlines()[0])
            return False
