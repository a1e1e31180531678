"""What else is called: facts of the site that are told, and calls that are only answered."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from brokerage.models import Cloud, Site
from jobs import counts
from jobs.api.panda import queues
from jobs.api.panda.answers import FAILED, NO_JOBS, NO_KEY, NO_PROXY, OK, Refused
from jobs.api.panda.call import Call, Handler
from jobs.api.panda.fields import Said
from jobs.labels import ANALYSIS
from jobs.states import FINAL
from pandasite.base.clock import database_now

log = logging.getLogger(__name__)

# Name, most cores (None: any number), most memory of a core (MB).
RESOURCES: Final = (
    ("SCORE", 1, 1, 2000),
    ("MCORE", 2, None, 2000),
    ("SCORE_HIMEM", 1, 1, None),
    ("MCORE_HIMEM", 2, None, None),
)
LOGGED: Final = ("site", "workerID", "harvesterID", "worker_id", "harvester_id", "status",
                 "host_name", "cpu_model", "panda_queue", "node_id")  # fmt: skip
KINDS: Final = ("unified", "production", "analysis", "all")


def is_alive(_call: Call) -> str:
    """As PanDA has it."""
    return "alive=yes"


def is_alive_v1(_call: Call) -> None:
    """An empty success."""
    return


# -- facts of the site -------------------------------------------------------------------------


def resource_types(_call: Call) -> list[dict[str, Any]]:
    """How PanDA sorts jobs by cores and memory."""
    return [
        {
            "resource_name": name,
            "mincore": low,
            "maxcore": high,
            "minrampercore": None if most else 2001,
            "maxrampercore": most,
        }
        for name, low, high, most in RESOURCES
    ]


def resource_types_text(call: Call) -> dict[str, Any]:
    """The same as text of Python: so pilots read it."""
    return {"StatusCode": OK, "ResourceTypes": str(resource_types(call))}


def site_specs(call: Call) -> dict[str, Any]:
    """The queue data of all sites of a kind, by name."""
    said = Said(call.values)
    kind = "all" if said.value("type") is None else said.one_of("type", KINDS, code="unknown_type")
    chosen = queues.all_queues()
    if kind == "all":
        return chosen
    return {name: queue for name, queue in chosen.items() if queue["type"] == kind}


def jobs_by_site(_call: Call) -> dict[str, dict[str, int]]:
    """Live jobs by site and state."""
    names = dict(Site.objects.values_list("pk", "name"))
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in _live():
        if count.site_id in names:
            found[names[count.site_id]][count.state] += count.n
    return found


def jobs_by_site_and_label(_call: Call) -> dict[str, Any]:
    """Live jobs by site, resource type, label and state; they are counted without their cores."""
    names = dict(Site.objects.values_list("pk", "name"))
    found: dict[str, Any] = {}
    for count in _live():
        if count.site_id in names:
            labels = found.setdefault(names[count.site_id], {}).setdefault("SCORE", {})
            states = labels.setdefault(count.label, {})
            states[count.state] = states.get(count.state, 0) + count.n
    return found


def jobs_by_cloud(call: Call) -> dict[str, dict[str, int]]:
    """Live jobs by cloud and state; `type` is production or analysis, else both."""
    said = Said(call.values)
    kind = said.value("type")
    if kind is not None:
        kind = said.one_of("type", ("production", "analysis"), code="unknown_type")
    names = dict(Cloud.objects.values_list("pk", "name"))
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in _live():
        its = "analysis" if count.label in ANALYSIS else "production"
        if count.cloud_id in names and kind in (None, its):
            found[names[count.cloud_id]][count.state] += count.n
    return found


def _live() -> list[counts.Count]:
    found = counts.read(ended_since=database_now())
    return [count for count in found if count.state not in FINAL]


def who_am_i(call: Call) -> dict[str, Any]:
    """The account of the token, and whether it is a pilot's."""
    if call.pilot is not None:
        return {"name": f"pilot@{call.pilot.site}", "role": "pilot", "site": call.pilot.site}
    return {"name": call.caller.get_username(), "role": "user", "site": None}


# -- answers without a deed --------------------------------------------------------------------


def attributes(call: Call) -> dict[str, Any]:
    """The arguments; what this process has in its environment is nobody's business."""
    return {"parameters": call.values, "environment": {}}


def nothing(_call: Call) -> dict[str, Any]:
    """An empty object."""
    return {}


def none_known(_call: Call) -> list[Any]:
    """An empty list."""
    return []


def zero(_call: Call) -> int:
    """The number of what there is none of."""
    return 0


def noted(call: Call) -> dict[str, Any]:
    """A line of the log with the few facts that help."""
    facts = {name: str(call.values[name])[:100] for name in LOGGED if name in call.values}
    log.info("panda_worker", extra={"worker": facts})
    return {}


def noted_plain(call: Call) -> dict[str, Any]:
    """The same for the old addresses."""
    return {"StatusCode": OK, **noted(call)}


def done_plain(_call: Call) -> dict[str, Any]:
    """Accepted."""
    return {"StatusCode": OK}


def refused(message: str, status_code: int) -> Handler:
    """A handler that says no."""

    def handler(_call: Call) -> None:
        raise Refused(message, status_code=status_code)

    return handler


_NO_PROXY = refused("no proxies are kept here: a site brings its own", NO_PROXY)
_NO_KEYS = refused("no keys are kept here: a site brings its own", NO_KEY)
_NO_TOKENS = refused("no tokens are handed on here: a site brings its own", NO_KEY)
_NO_SECRETS = refused("no secrets are kept here", NO_KEY)
_NO_EVENTS = refused("there is no event service here", FAILED)

HANDLERS: Final[Mapping[str, Handler]] = {
    "/server/panda/isAlive": is_alive,
    "/server/panda/getResourceTypes": resource_types_text,
    "/server/panda/getJobStatisticsPerSite": jobs_by_site,
    "/api/v1/system/is_alive": is_alive_v1,
    "/api/v1/system/get_user_attributes": who_am_i,
    "/api/v1/metaconfig/get_site_specs": site_specs,
    "/api/v1/metaconfig/get_resource_types": resource_types,
    "/api/v1/statistics/active_job_stats_by_site": jobs_by_site,
    "/api/v1/statistics/active_job_detailed_stats_by_site": jobs_by_site_and_label,
    "/api/v1/statistics/job_stats_by_cloud": jobs_by_cloud,
    "/server/panda/updateWorkerPilotStatus": noted_plain,
    "/server/panda/harvesterIsAlive": noted_plain,
    "/api/v1/pilot/update_worker_status": noted,
    "/api/v1/pilot/update_worker_node": noted,
    "/api/v1/pilot/update_worker_node_gpu": noted,
    "/api/v1/harvester/heartbeat": noted,
    "/server/panda/getProxy": _NO_PROXY,
    "/server/panda/getKeyPair": _NO_KEYS,
    "/server/panda/get_access_token": _NO_TOKENS,
    "/server/panda/get_token_key": _NO_TOKENS,
    "/server/panda/get_user_secrets": _NO_SECRETS,
    "/api/v1/creds/get_proxy": _NO_PROXY,
    "/api/v1/creds/get_key_pair": _NO_KEYS,
    "/api/v1/creds/get_access_token": _NO_TOKENS,
    "/api/v1/creds/get_token_key": _NO_TOKENS,
    "/api/v1/creds/get_user_secrets": _NO_SECRETS,
    "/server/panda/getEventRanges": lambda _call: {"StatusCode": NO_JOBS, "eventRanges": "[]"},
    "/server/panda/updateEventRange": _NO_EVENTS,
    "/server/panda/updateEventRanges": _NO_EVENTS,
    "/server/panda/checkEventsAvailability": lambda _call: {"StatusCode": OK, "nEventRanges": 0},
    "/api/v1/event/acquire_event_ranges": none_known,
    "/api/v1/event/get_available_event_range_count": zero,
    "/server/panda/getCommands": lambda _call: {"StatusCode": OK, "Commands": []},
    "/server/panda/ackCommands": done_plain,
    "/server/panda/updateWorkers": done_plain,
    "/server/panda/reportWorkerStats_jobtype": done_plain,
    "/server/panda/getWorkerStats": nothing,
    "/server/panda/addHarvesterDialogs": done_plain,
    "/server/panda/updateServiceMetrics": done_plain,
    "/server/panda/get_max_worker_id": lambda _call: "0",
    "/api/v1/harvester/acquire_commands": none_known,
    "/api/v1/harvester/acknowledge_commands": nothing,
    "/api/v1/harvester/update_workers": nothing,
    "/api/v1/harvester/report_worker_statistics": nothing,
    "/api/v1/harvester/get_worker_statistics": nothing,
    "/api/v1/harvester/add_dialogs": nothing,
    "/api/v1/harvester/update_service_metrics": nothing,
    "/api/v1/harvester/get_current_worker_id": zero,
    "/api/v1/system/get_attributes": attributes,
    "/api/v1/system/get_voms_attributes": nothing,
    "/server/panda/getAttr": attributes,
    "/server/panda/getVomsAttr": nothing,
}
