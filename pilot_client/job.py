"""One job: stage in, payload, stage out, and the final report, whatever happens on the way."""

from __future__ import annotations

import errno
import itertools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pilot_client import download, launch, payload
from pilot_client.config import Config
from pilot_client.control import Control, Stop, Stopping
from pilot_client.deliver import deliver
from pilot_client.errors import JobFailed, LeaseLost, PilotCode
from pilot_client.folder import Busy, JobFolder
from pilot_client.heartbeat import Heartbeat, said_of
from pilot_client.isolation import Sandbox
from pilot_client.joblog import pack
from pilot_client.judge import Verdict, judge, read_report
from pilot_client.logs import also_to
from pilot_client.report import Account, final
from pilot_client.server import Server
from pilot_client.stage_in import stage_in
from pilot_client.stage_out import stage_out, store
from pilot_client.text import last_line, tail
from pilot_client.wire import Job, Lease

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a pilot brings to each of its jobs."""

    config: Config
    server: Server
    sandbox: Sandbox
    stop: Stop
    slot_mb: int


def run_job(answer: Mapping[str, Any], means: Means) -> None:
    """Run it and hand in its report. Raises Stopping if the report has to wait for the next start.

    A job whose lease is lost is dropped without a word: it is somebody else's now.
    """
    lease = Lease.of(answer)
    numbers = itertools.count(1)
    pause = means.stop.pause_until_deadline
    try:
        folder = JobFolder.create(workdir=means.config.workdir, name=lease.name)
    except (OSError, Busy) as error:
        log.error("job %s: cannot make its folder: %s", lease.name, error)
        report = refusal(lease, numbers)
        deliver(server=means.server, report=report, folder=None, pause=pause)
        return
    with also_to(folder.pilot_log):
        ended = Attempt(lease=lease, folder=folder, means=means, numbers=numbers).run(answer)
    if ended is None:
        log.warning("job %s: lease lost, dropped", lease.name)
        folder.remove()
        return
    keep(folder, ended)
    deliver(server=means.server, report=ended, folder=folder, pause=pause)


def refusal(lease: Lease, numbers: Iterator[int]) -> dict[str, Any]:
    """The report of a job that this node cannot even begin."""
    verdict = Verdict(
        pilot_code=PilotCode.FILE_HANDLING, pilot_diag="the pilot cannot make the job's folder"
    )
    return final(lease=lease, seq=next(numbers), verdict=verdict, account=Account())


def keep(folder: JobFolder, report: Mapping[str, Any]) -> None:
    """Write the report down before it is sent: a crash from here on loses nothing."""
    try:
        folder.save(stage="reporting", final=report)
    except OSError as error:
        log.error("the final report cannot be kept on disk: %s", error)


class Attempt:
    """The stages of one attempt, with the heart beating beside them."""

    def __init__(
        self, *, lease: Lease, folder: JobFolder, means: Means, numbers: Iterator[int]
    ) -> None:
        self._lease = lease
        self._folder = folder
        self._means = means
        self._numbers = numbers
        self._control = Control(means.stop, lease=folder.lease)
        self._account = Account()
        interval = means.config.heartbeat or lease.heartbeat_seconds
        self._heart = Heartbeat(
            server=means.server,
            lease=replace(lease, heartbeat_seconds=interval),
            control=self._control,
            numbers=numbers,
            said=lambda: said_of(meter=self._account.meter, stdout=folder.stdout),
        )

    def run(self, answer: Mapping[str, Any]) -> dict[str, Any] | None:
        """The final report, or None if the lease was lost."""
        try:
            with self._heart:
                verdict = self._verdict(answer)
        except LeaseLost:
            return None
        return None if self._control.revoked else self._report(verdict)

    def _report(self, verdict: Verdict) -> dict[str, Any]:
        self._account.stdout_tail = tail(self._folder.stdout)
        return final(
            lease=self._lease, seq=next(self._numbers), verdict=verdict, account=self._account
        )

    def _verdict(self, answer: Mapping[str, Any]) -> Verdict:
        """Run the stages; the log goes out however they end, as long as the job can be read."""
        try:
            job = Job.of(answer, secret=self._means.config.storage_secret)
        except JobFailed as error:
            return self._failed(error)
        verdict = self._stages_of(job)
        log.info("job %s: %s", self._lease.name, verdict)
        self._store_log(job)
        return verdict

    def _stages_of(self, job: Job) -> Verdict:
        try:
            return self._stages(job)
        except JobFailed as error:
            return self._failed(error)
        except OSError as error:
            return self._failed(local_failure(error))

    def _failed(self, error: JobFailed) -> Verdict:
        return Verdict(
            exit_code=self._account.exit_code, pilot_code=error.code, pilot_diag=error.diag
        )

    def _stages(self, job: Job) -> Verdict:
        log.info("job %s: %s %s", self._lease.name, job.transformation, self._means.config.site)
        self._stage_in(job)
        verdict = self._payload(job)
        if not verdict.failed:
            self._stage_out(job)
        return verdict

    def _stage_in(self, job: Job) -> None:
        self._folder.save(stage="stage in")
        stage_in(
            job=job,
            work=self._folder.work,
            copy=self._means.config.copy_inputs,
            check=self._control.check,
        )
        self._control.check()
        download.bring(
            job=job,
            folder=self._folder,
            server=self._means.server,
            pause=self._control.pause_for_orders,
        )

    def _payload(self, job: Job) -> Verdict:
        means, account = self._means, self._account
        spec = launch.spec_of(
            job=job, folder=self._folder, software=means.config.software, sandbox=means.sandbox
        )
        self._heart.make_sure()
        self._heart.say("running")
        ended = payload.run(
            spec=spec,
            folder=self._folder,
            meter=account.meter,
            limits=payload.Limits.of(job, slot_mb=means.slot_mb),
            check=self._control.check,
        )
        return self._judge(ended)

    def _judge(self, ended: payload.Exit) -> Verdict:
        """What the end of the payload means; its events are remembered for the report."""
        report = read_report(self._folder.work)
        if report.problem:
            log.warning("job %s: %s", self._lease.name, report.problem)
        if ended.swept:
            log.warning("job %s: ended %d forgotten processes", self._lease.name, ended.swept)
        verdict = judge(
            status=ended.status, report=report, last_words=last_line(self._folder.stderr)
        )
        self._account.exit_code = verdict.exit_code
        self._account.events = report.events
        return verdict

    def _stage_out(self, job: Job) -> None:
        self._folder.save(stage="stage out")
        self._heart.make_sure()
        self._account.outputs = stage_out(
            job=job, work=self._folder.work, pause=self._control.pause_late
        )

    def _store_log(self, job: Job) -> None:
        """Put the log beside the outputs; a log that cannot be stored is no reason to fail."""
        if job.log is None or self._control.revoked or not self._heart.sure:
            return
        try:
            self._account.log_file = store(
                job.log,
                source=pack(self._folder, name=self._lease.name),
                storage=job.storage,
                pause=self._means.stop.pause_until_deadline,
            )
        except (JobFailed, OSError, Stopping) as error:
            log.warning("job %s: no log stored: %s", self._lease.name, error)


def local_failure(error: OSError) -> JobFailed:
    """An error of this node's own disk."""
    code = PilotCode.NO_LOCAL_SPACE if error.errno in FULL else PilotCode.FILE_HANDLING
    return JobFailed(code, f"on the worker node: {error.strerror or type(error).__name__}")
