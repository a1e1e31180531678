"""What a job is doing, and why it is not further, in one or two sentences. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brokerage.policy import Choice
from jobs.errors import meaning
from jobs.models import AnyJob, AnyJobEvent, AnyJobFile
from jobs.states import JobState
from monitor.words import ago, plural, span


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a sentence may be made of."""

    job: AnyJob
    files: Sequence[AnyJobFile]
    events: Sequence[AnyJobEvent]
    choice: Choice | None
    now: dt.datetime

    @property
    def site(self) -> str:
        return self.job.computing_site.name if self.job.computing_site else "no site"

    @property
    def age(self) -> str:
        """How long it has been in its state."""
        return ago((self.now - self.job.state_change_time).total_seconds())

    def of(self, kind: str) -> list[AnyJobFile]:
        return [f for f in self.files if f.type == kind]


def story(
    job: AnyJob,
    *,
    files: Sequence[AnyJobFile],
    events: Sequence[AnyJobEvent],
    choice: Choice | None,
    now: dt.datetime,
) -> str:
    """The sentence of the job's state."""
    scene = Scene(job=job, files=files, events=events, choice=choice, now=now)
    told = STORIES[JobState(job.state)](scene)
    killed = f" It is to be killed: {job.command_reason}." if job.command else ""
    return told + killed


def _defined(scene: Scene) -> str:
    if scene.choice and not scene.choice.site:
        return f"Has no site yet: {scene.choice.reason}."
    return f"Waits for brokerage, for {scene.age}."


def _waiting(scene: Scene) -> str:
    unknown = [f.lfn for f in scene.of("input") if f.file_id is None]
    if not unknown:
        return f"Waits for {scene.age}; all its input is known, so it goes on with the next sweep."
    more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    return f"Waits for {scene.age} for input that is not known anywhere yet: {unknown[0]}{more}."


def _assigned(scene: Scene) -> str:
    inputs = scene.of("input")
    ready = sum(f.status == AnyJobFile.Status.READY for f in inputs)
    there = f"{ready} of {plural(len(inputs), 'input file')} there"
    return f"Goes to {scene.site}; its input is on the way for {scene.age}, {there}."


def _activated(scene: Scene) -> str:
    return (
        f"Ready at {scene.site}, waits for a pilot for {scene.age}"
        f" (priority {scene.job.current_priority})."
    )


def _with_pilot(scene: Scene) -> str:
    job = scene.job
    doing = {"sent": "Handed to a pilot", "starting": "Being prepared", "running": "Runs"}[
        job.state
    ]
    heard = ago((scene.now - job.modification_time).total_seconds())
    left = (job.lease_until - scene.now).total_seconds() if job.lease_until else 0
    lease = f"lease for another {span(left)}" if left > 0 else "its lease is over"
    return f"{doing} at {scene.site} on {job.node} for {scene.age}; last word {heard} ago, {lease}."


def _holding(scene: Scene) -> str:
    said = f"its pilot said {scene.job.verdict}" if scene.job.verdict else "its pilot fell silent"
    return f"The payload is over ({said}); the outputs are being registered for {scene.age}."


def _transferring(scene: Scene) -> str:
    outputs = scene.of("output")
    home = scene.job.destination_se.name if scene.job.destination_se else "their destination"
    there = sum(_has_arrived(f, home) for f in outputs)
    files_there = f"{there} of {plural(len(outputs), 'file')} there"
    return f"Outputs travel to {home} for {scene.age}, {files_there}."


def _has_arrived(f: AnyJobFile, home: str) -> bool:
    replicas = f.file.replicas.all() if f.file else ()
    return any(r.storage.name == home and r.state == "available" for r in replicas)


def _finished(scene: Scene) -> str:
    job = scene.job
    whole = span((_end(job) - job.creation_time).total_seconds())
    ran = (
        f", {span((_end(job) - job.start_time).total_seconds())} after its start"
        if job.start_time
        else ""
    )
    return f"Finished at {scene.site} {whole} after it was submitted{ran}."


def _failed(scene: Scene) -> str:
    errors = scene.job.errors()
    if not errors:
        return "Failed without an error code."
    component, code, diag = errors[0]
    known = meaning(component, code)
    said = f" ({diag})" if diag and diag != known else ""
    more = f" and {plural(len(errors) - 1, 'further error')}" if len(errors) > 1 else ""
    return f"Failed with {component} {code}: {known}{said}{more}."


def _cancelled(scene: Scene) -> str:
    last = scene.events[-1] if scene.events else None
    why = str(last.reason.get("reason", "")) if last else ""
    # A pilot only takes the command home: who gave it is in the reason.
    actor = f" by {last.actor}" if last and not last.actor.startswith("pilot ") else ""
    return f"Cancelled{actor}: {why or scene.job.task_buffer_error_diag or 'no reason given'}."


def _end(job: AnyJob) -> dt.datetime:
    return job.end_time or job.state_change_time


STORIES: dict[JobState, Callable[[Scene], str]] = {
    JobState.DEFINED: _defined,
    JobState.WAITING: _waiting,
    JobState.ASSIGNED: _assigned,
    JobState.ACTIVATED: _activated,
    JobState.SENT: _with_pilot,
    JobState.STARTING: _with_pilot,
    JobState.RUNNING: _with_pilot,
    JobState.HOLDING: _holding,
    JobState.TRANSFERRING: _transferring,
    JobState.FINISHED: _finished,
    JobState.FAILED: _failed,
    JobState.CANCELLED: _cancelled,
}
