"""The pilot: settle what was left, then job after job until it is told to end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pilot_client import facts, isolation, leftovers
from pilot_client.claim import NoJob, claim
from pilot_client.config import Config
from pilot_client.control import EXIT_UNREPORTED, Stop, Stopping
from pilot_client.errors import JobFailed, PilotEnds
from pilot_client.job import Means, run_job
from pilot_client.server import EXIT_REFUSED, Server, jittered

log = logging.getLogger(__name__)

EXIT_NO_WORKDIR = 5


def run(config: Config) -> int:
    """Run the pilot; its exit code.

    0 as asked for, 3 token refused, 4 request refused, 5 no work folder, 6 ended by a signal with
    a final report still to be handed in by the next pilot of this work folder.
    """
    stop = Stop()
    stop.listen()
    try:
        return fly(config, stop)
    except PilotEnds as error:
        log.error("pilot ends: %s", error)
        return error.exit_code


def fly(config: Config, stop: Stop) -> int:
    """All of it between the signals' set-up and the exit code."""
    log.info("pilot %s at %s asks %s", config.pilot_id, config.site, config.server)
    means = prepare(config, stop)
    try:
        leftovers.settle(workdir=config.workdir, server=means.server, pause=stop.pause)
        job_after_job(means)
    except Stopping:
        log.warning("pilot ends on %s with a report to be handed in", stop.signal_name)
        return EXIT_UNREPORTED
    log.info("pilot ends %s", f"on {stop.signal_name}" if stop.asked else "as asked for")
    return 0


def prepare(config: Config, stop: Stop) -> Means:
    """The work folder, the sandbox, the server."""
    try:
        config.workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PilotEnds(f"cannot make {config.workdir}: {error}", EXIT_NO_WORKDIR) from error
    return Means(
        config=config,
        server=Server(url=config.server, token_file=config.token_file),
        sandbox=isolation.choose(config),
        stop=stop,
        slot_mb=config.memory_mb or facts.memory_mb(),
    )


def job_after_job(means: Means) -> None:
    """Claim and run until asked to end or until the number of jobs asked for is done."""
    done = 0
    while not means.stop.asked and (not means.config.max_jobs or done < means.config.max_jobs):
        answer = next_job(means)
        if answer is None:
            return
        begin(answer, means)
        done += 1


def next_job(means: Means) -> Mapping[str, Any] | None:
    """Wait for a job; None when asked to end instead."""
    stop, poll, said = means.stop, means.config.poll, ""
    try:
        while True:
            answer = claim(server=means.server, facts=facts.gather(means.config), stop=stop)
            if not isinstance(answer, NoJob):
                return answer
            wait = answer.wait if poll is None else min(answer.wait, poll)
            news = f"no job: {answer.reason} {answer.message}"
            if news != said:
                log.info("%s", news)
                said = news
            stop.pause(jittered(wait))
    except Stopping:
        return None


def begin(answer: Mapping[str, Any], means: Means) -> None:
    """Run one job; an answer that does not even name its lease ends the pilot."""
    try:
        run_job(answer, means)
    except JobFailed as error:
        raise PilotEnds(str(error), EXIT_REFUSED) from error
