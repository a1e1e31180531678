"""Pilots that are lost, and come back when their job is somebody else's.

Four are lost at the same time, each in its own way: killed, stopped, cut off from the network, and
with a final report that is under way for too long. The jobs are given to others; then all of them
speak again.
"""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from signal import SIGCONT, SIGSTOP
from typing import Any

import psutil
import pytest

from jobs.models import Job, JobEvent, JobFile
from jobs.states import JobState
from tests.flow.checks import wrongs
from tests.flow.grid import by_hand, pairs
from tests.flow.installation import eventually
from tests.flow.journal import Run, overlaps, runs
from tests.flow.processes import below, seconds_until_gone
from tests.flow.proxy import Proxy, Question, proxy_to
from tests.flow.site import FlowSite

pytestmark = pytest.mark.faults
log = logging.getLogger(__name__)

STOPPED, LATE, CUT_OFF = "stopped", "late", "cut-off"
LOST = (STOPPED, LATE, CUT_OFF)


@dataclass
class Story:
    """What happened. Rows are all columns of the jobs and their files, before and after."""

    production: list[int] = field(default_factory=list)
    job_of: dict[str, int] = field(default_factory=dict)
    proxies: dict[str, Proxy] = field(default_factory=dict)
    killed_job: int = 0
    payload_outlived: float = 0.0
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    exit_codes: dict[str, int] = field(default_factory=dict)

    @property
    def by_hand(self) -> list[int]:
        return list(self.job_of.values())


class Loss:
    """The course of events."""

    def __init__(self, site: FlowSite, proxies: dict[str, Proxy]) -> None:
        self.site = site
        self.story = Story(proxies=proxies)
        self.pilots: dict[str, subprocess.Popen[bytes]] = {}
        self.held = threading.Event()  # the late report has been sent
        self.let_go = threading.Event()  # it may arrive

    def happen(self) -> Story:
        self.begin()
        self.lose()
        self.give_to_others()
        self.come_back()
        return self.story

    def begin(self) -> None:
        """Three jobs for pilots by hand, each of which goes on until it is released; and a
        production for those that the launcher looks after."""
        site, story = self.site, self.story
        ids = [self.submit(f"lost{nr}") for nr in range(1, len(LOST) + 1)]
        story.production = site.submit(pairs("killed", number=2, journal=site.journal, seconds=2))
        for name, proxy in story.proxies.items():
            self.pilots[name] = site.start_pilot(name, "--once", server=proxy.url)
        eventually(lambda: len(self.runs_of(ids)) == len(LOST))
        with site.books():
            story.job_of = {job.node: job.pk for job in Job.objects.filter(pk__in=ids)}

    def submit(self, tag: str) -> int:
        release = self.site.release_file(tag)
        [panda_id] = self.site.submit(by_hand(tag, 1, journal=self.site.journal, release=release))
        return panda_id

    def lose(self) -> None:
        story = self.story
        story.proxies[CUT_OFF].lose_question = lambda question: True
        story.proxies[LATE].lose_question = self.keep_for_long
        self.pilots[STOPPED].send_signal(SIGSTOP)
        self.release(LATE)
        self.kill_a_pilot()
        assert self.held.wait(120)

    def keep_for_long(self, question: Question) -> bool:
        """A network in which a final report gets lost for a while, but not for good."""
        if question.is_final:
            self.held.set()
            self.let_go.wait(120)
        return False

    def kill_a_pilot(self) -> None:
        """One that the launcher looks after, with a payload."""
        eventually(lambda: bool(self.living_payloads()), pause=0.05)
        payload, run = self.living_payloads()[0]
        guard = payload.parent()
        pilot = guard.parent() if guard else None
        assert guard is not None and pilot is not None
        family = [guard, *below(guard)]
        pilot.kill()
        self.story.killed_job = run.panda_id
        self.story.payload_outlived = seconds_until_gone(family, limit=5)

    def living_payloads(self) -> list[tuple[psutil.Process, Run]]:
        found = []
        for run in self.runs_of(self.story.production):
            try:
                found.append((psutil.Process(run.pid), run))
            except psutil.NoSuchProcess:
                continue
        return found

    def give_to_others(self) -> None:
        """The leases end, and other pilots run the jobs."""
        story, site = self.story, self.site
        eventually(lambda: self.requeued() == set(story.by_hand))
        others = [site.start_pilot(f"other{nr}", "--once", server=site.url) for nr in (1, 2, 3)]
        still_held = [story.job_of[name] for name in (STOPPED, CUT_OFF)]
        eventually(lambda: len(self.runs_of(still_held)) == 4)
        for name in (STOPPED, CUT_OFF):
            self.release(name)
        site.await_end([*story.by_hand, *story.production])
        assert [pilot.wait(120) for pilot in others] == [0, 0, 0]

    def requeued(self) -> set[int]:
        """Jobs that a pilot had, and that wait for another one."""
        with self.site.books():
            events = JobEvent.objects.filter(
                job__in=self.story.by_hand,
                from_state__in=[JobState.STARTING, JobState.RUNNING],
                to_state=JobState.ACTIVATED,
            )
            return set(events.values_list("job", flat=True))

    def come_back(self) -> None:
        story = self.story
        story.before = self.rows()
        self.pilots[STOPPED].send_signal(SIGCONT)
        story.proxies[CUT_OFF].lose_question = lambda question: False
        self.let_go.set()
        story.exit_codes = {name: pilot.wait(120) for name, pilot in self.pilots.items()}
        story.after = self.rows()

    def rows(self) -> list[dict[str, Any]]:
        with self.site.books():
            jobs = Job.objects.filter(pk__in=self.story.by_hand).order_by("pk")
            files = JobFile.objects.filter(job__in=self.story.by_hand).order_by("pk")
            return [*jobs.values(), *files.values()]

    def release(self, name: str) -> None:
        with self.site.books():
            job = Job.objects.get(pk=self.story.job_of[name])
        tag = job.job_name.split(".")[1]
        self.site.release_file(tag).touch()

    def runs_of(self, panda_ids: list[int]) -> list[Run]:
        return [run for run in runs(self.site.journal) if run.panda_id in panda_ids]


@pytest.fixture(scope="module")
def story(site: FlowSite) -> Iterator[Story]:
    with ExitStack() as stack:
        proxies = {name: stack.enter_context(proxy_to(site.url)) for name in LOST}
        yield Loss(site, proxies).happen()


def test_the_job_of_a_lost_pilot_is_done_by_another_one(site: FlowSite, story: Story) -> None:
    with site.books():
        jobs = Job.objects.filter(pk__in=[*story.by_hand, story.killed_job])
        found = [(job.state, job.attempt_nr) for job in jobs]

    assert found == [("finished", 2)] * 4
    assert wrongs(site, [*story.by_hand, *story.production]) == []


def test_a_killed_pilot_takes_its_payload_along(story: Story) -> None:
    log.info("the payload of a killed pilot lived on for %.2f s", story.payload_outlived)

    assert story.payload_outlived < 2


def test_pilots_that_come_back_change_nothing(story: Story) -> None:
    assert story.exit_codes == dict.fromkeys(LOST, 0)
    assert story.after == story.before


def test_a_pilot_that_was_stopped_drops_its_job(site: FlowSite, story: Story) -> None:
    """Its clock, its guard or a refused beat tells it, whichever is first; it says no last word."""
    refused = [one for one in story.proxies[STOPPED].exchanges if one.status != 200]

    said = site.pilot_log(STOPPED).read_text()
    by_its_clock = "no answer to a heartbeat for a whole lease" in said
    by_its_guard = "the guard has ended the payload at the end of the lease" in said
    assert by_its_clock or by_its_guard or refused != []
    assert {(one.status, one.answer["code"]) for one in refused} <= {(409, "stale_attempt")}
    assert story.proxies[STOPPED].finals() == []
    assert "lease lost, dropped" in said


def test_a_final_report_that_comes_too_late_is_refused(story: Story) -> None:
    finals = story.proxies[LATE].finals()

    assert {one.question.body["state"] for one in finals} == {"finished"}
    assert {(one.status, one.answer["code"]) for one in finals} == {(409, "stale_attempt")}


@pytest.mark.parametrize("name", [STOPPED, CUT_OFF])
def test_a_payload_ends_before_its_job_is_given_away(
    site: FlowSite, story: Story, name: str
) -> None:
    """Though nobody can tell its pilot, and it would have gone on."""
    first, second = [run for run in runs(site.journal) if run.panda_id == story.job_of[name]]

    log.info("the payload of the pilot %s ended %.1f s before", name, second.first - first.last)
    assert overlaps([first, second]) == []
    assert story.proxies[name].finals() == []
