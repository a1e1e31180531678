"""PanDA's addresses for clients, and who answers at each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jobs.api.panda.call import Handler
from jobs.api.panda.client import finding, looking, sending, steering
from jobs.api.panda.client.asking import changing, told_with_200

_DEEDS: Final[Mapping[str, Handler]] = {
    "task/submit": sending.submit,
    "task/kill": steering.deed("kill"),
    "task/finish": steering.deed("finish"),
    "task/pause": steering.deed("pause"),
    "task/resume": steering.deed("resume"),
    "task/retry": steering.retry,
    "task/change_priority": steering.priority,
    "job/kill": steering.kill_jobs,
    "job/set_debug_mode": steering.debug_mode,
}
_TASK: Final[Mapping[str, Handler]] = {
    "get_task_parameters": sending.parameters,
    "get_status": finding.status,
    "get_details": finding.details,
    "get_detailed_info": finding.one,
    "get_parent_detailed_info": finding.parent,
    "get_tasks_detailed_info_since": finding.detailed_since,
    "get_tasks_modified_since": finding.modified_since,
    "get_job_ids": finding.job_ids,
    "get_job_descriptions": looking.descriptions_of_task,
    "get_datasets_and_files": looking.datasets_and_files,
}
_JOB: Final[Mapping[str, Handler]] = {
    "get_description": looking.descriptions,
    "get_description_incl_archive": looking.descriptions_of_all,
}
HANDLERS: Final[Mapping[str, Handler]] = {
    **{f"/api/v1/{path}": told_with_200(changing(work)) for path, work in _DEEDS.items()},
    **{f"/api/v1/task/{name}": told_with_200(work) for name, work in _TASK.items()},
    **{f"/api/v1/job/{name}": told_with_200(work) for name, work in _JOB.items()},
}
