"""What pilots ask most: jobs, and to be heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jobs.api.bodies import REPORTS_MAX
from jobs.api.panda import claim, update
from jobs.api.panda.answers import NO_JOBS, OK, Refused
from jobs.api.panda.call import Call, Handler
from jobs.api.panda.fields import Said, refuse
from jobs.api.panda.job import all_as_panda
from jobs.models import AnyJob
from pandasite.base.errors import NotAllowed, TooMuch
from pandasite.base.json import loads_strict

IDS_MAX = 1000


def get_job(call: Call) -> dict[str, Any]:
    """One job, as PanDA has it flat in the answer; several in `jobs`."""
    claimed = claim.claim(call.caller, Said(call.values, claim.LEGACY))
    if not claimed.jobs:
        return {
            "StatusCode": NO_JOBS,
            "code": claimed.reason,
            "message": claimed.message,
            "retry_after": claimed.retry_after,
        }
    jobs = all_as_panda(claimed.jobs, site=call.site)
    return {"StatusCode": OK, "jobs": jobs} if "nJobs" in call.values else jobs[0]


def acquire_jobs(call: Call) -> dict[str, Any]:
    """Always a list."""
    claimed = claim.claim(call.caller, Said(call.values))
    if not claimed.jobs:
        raise Refused(f"No jobs in PanDA: {claimed.message}", data={"StatusCode": NO_JOBS})
    return {"StatusCode": OK, "jobs": all_as_panda(claimed.jobs, site=call.site)}


def update_job(call: Call) -> dict[str, Any]:
    """One word in the old names."""
    return update.update(call.caller, Said(call.values, update.LEGACY))


def update_job_v1(call: Call) -> dict[str, Any]:
    """One word in the names of v1."""
    return update.update(call.caller, Said(call.values))


def update_jobs(call: Call) -> list[Any]:
    """Many words in the old names: [whether it went well, their answers]."""
    words = _words(call.values.get("jobList"), "jobList")
    return [True, update.update_all(call.caller, words, update.LEGACY)]


def update_jobs_v1(call: Call) -> list[dict[str, Any]]:
    """Many words in the names of v1."""
    return update.update_all(call.caller, _words(call.values.get("job_list"), "job_list"), {})


def _words(value: Any, name: str) -> list[Any]:
    """A list, which the old form sends as JSON text."""
    if isinstance(value, str):
        text = f'{{"{name}":{value}}}'
        value = loads_strict(text.encode(errors="replace"), max_bytes=len(text) * 4)[name]
    if not isinstance(value, list) or not value:
        raise refuse(name, f"must be a list of 1 to {REPORTS_MAX} words", code="not_a_list")
    if len(value) > REPORTS_MAX:
        raise TooMuch(f"{name} must have at most {REPORTS_MAX} words, not {len(value)}")
    return value


def get_status(call: Call) -> dict[str, Any]:
    """`status` and `attemptNr`, of several jobs with commas between."""
    found = _jobs(call, "ids", missing="notfound")
    return {
        "StatusCode": OK,
        "status": ",".join(state for _, state, _, _ in found),
        "attemptNr": ",".join(str(attempt) for _, _, attempt, _ in found),
    }


def check_job_status(call: Call) -> dict[str, Any]:
    """A list with an entry for each job."""
    found = _jobs(call, "ids", missing="notfound")
    entries = [{"PandaID": job, "status": state, "attemptNr": nr} for job, state, nr, _ in found]
    return {"StatusCode": OK, "data": entries}


def get_job_status(call: Call) -> list[dict[str, Any]]:
    """A list with an entry for each job."""
    found = _jobs(call, "job_ids", missing="not found")
    return [{"job_id": job, "status": state, "attempt_number": nr} for job, state, nr, _ in found]


def get_status_v1(call: Call) -> list[dict[str, Any]]:
    """The same, with the command that the pilot is to be told."""
    found = _jobs(call, "job_ids", missing="not found")
    return [
        {"job_id": job, "status": state, "attempt_number": nr, "command": command or "NULL"}
        for job, state, nr, command in found
    ]


def _jobs(call: Call, name: str, *, missing: str) -> list[tuple[int, str, int, str]]:
    """(PandaID, state, attemptNr, command) in the order asked; a job elsewhere is not there."""
    if call.pilot is None:
        raise NotAllowed("this needs the token of a pilot", code="not_a_pilot")
    wanted = Said(call.values).numbers(name, most=IDS_MAX)
    rows = AnyJob.objects.filter(pk__in=wanted, computing_site=call.pilot.site_id)
    found = {row[0]: row for row in rows.values_list("pk", "state", "attempt_nr", "command")}
    return [found.get(panda_id, (panda_id, missing, 0, "")) for panda_id in wanted]


HANDLERS: Final[Mapping[str, Handler]] = {
    "/server/panda/getJob": get_job,
    "/server/panda/updateJob": update_job,
    "/server/panda/updateJobsInBulk": update_jobs,
    "/server/panda/getStatus": get_status,
    "/server/panda/checkJobStatus": check_job_status,
    "/api/v1/pilot/acquire_jobs": acquire_jobs,
    "/api/v1/pilot/update_job": update_job_v1,
    "/api/v1/pilot/update_jobs_bulk": update_jobs_v1,
    "/api/v1/pilot/get_job_status": get_job_status,
    "/api/v1/job/get_status": get_status_v1,
}
