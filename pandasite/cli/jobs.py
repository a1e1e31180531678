"""`pandasite job`: single jobs, as tasks are made of them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from pandasite.cli import account, show
from pandasite.cli.errors import CommandError
from pandasite.cli.options import BY_HAND, Json, Reason

app = typer.Typer(help="Jobs: one by one, without a task around them.")


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="JSON or TOML with 1 to 1,000 jobs; - reads a pipe")],
    key: Annotated[
        str | None,
        typer.Option(help="Idempotency-Key: sent again with it, the same jobs are the same."),
    ] = None,
    json: Json = False,
) -> None:
    """Submit jobs, all or none. A lost answer is asked for again: nothing is submitted twice."""
    from pandasite.cli.door import Door
    from pandasite.cli.requests_of import read

    with Door(account.current()) as door:
        body = {"jobs": read(file, key="jobs")}
        answer = door.post("jobs", body, key=key or uuid.uuid4().hex)
    if json:
        return show.as_json(answer)
    if answer["replayed"]:
        show.note("they were submitted before with this key")
    rows = [(job["panda_id"], job["state"] or "gone") for job in answer["jobs"]]
    return show.table(("PandaID", "state"), rows, empty="")


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Such as running.")] = None,
    site: Annotated[str | None, typer.Option()] = None,
    cloud: Annotated[str | None, typer.Option()] = None,
    task: Annotated[str | None, typer.Option(help="Number or name.")] = None,
    label: Annotated[str | None, typer.Option(help="prodSourceLabel.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    from pandasite.cli.door import Door
    from pandasite.cli.pages import listed

    wanted = {"state": state, "site": site, "cloud": cloud, "task": task, "label": label}
    with Door(account.current()) as door:
        jobs = listed(door, "jobs", "jobs", limit=limit, wanted=wanted)
    if json:
        return show.as_json({"jobs": jobs})
    heads = ("PandaID", "state", "site", "try", "priority", "changed (UTC)", "name", "error")
    rows = [
        (j["panda_id"], j["state"], j["computing_site"], f"{j['attempt_nr']}/{j['max_attempt']}",
         j["current_priority"], show.when(j["modification_time"]), j["job_name"], _error(j))
        for j in jobs
    ]  # fmt: skip
    return show.table(heads, rows, empty="there is no such job")


def _error(job: dict[str, Any]) -> str:
    told = [f"{e['component']}:{e['code']} {e['diag']}".strip() for e in job["errors"]]
    return "; ".join(told)[:100]


@app.command("show")
def show_(
    panda_id: Annotated[int, typer.Argument(metavar="PANDAID", min=1)], json: Json = False
) -> None:
    """Show a job with its files and its history."""
    from pandasite.cli.door import Door

    with Door(account.current()) as door:
        job = door.get(f"jobs/{panda_id}")
    if json:
        return show.as_json(job)
    return _tell(job)


def _tell(job: dict[str, Any]) -> None:
    _tell_facts(job)
    _tell_files(job["files"])
    events = [
        (show.when(e["at"]), e["from_state"] or "-", e["to_state"], e["actor"], _why(e["reason"]))
        for e in job["events"]
    ]
    show.say("")
    show.table(("at (UTC)", "from", "to", "by", "why"), events, empty="no history")


def _tell_facts(job: dict[str, Any]) -> None:
    show.facts(
        [
            ("job", f"{job['panda_id']} {job['job_name']}"),
            ("state", job["state"]),
            ("error", _error(job)),
            ("task", job["task"]),
            ("runs", f"{job['transformation']} {job['job_parameters']}".strip()),
            ("site", job["computing_site"]),
            ("node", job["node"]),
            ("attempt", f"{job['attempt_nr']} of {job['max_attempt']}"),
            ("CPU", show.span(job["cpu_consumption_time"]) if job["cpu_consumption_time"] else ""),
            ("memory", f"{job['max_rss_mb']:,} MB" if job["max_rss_mb"] else ""),
        ]
    )


def _tell_files(files: list[dict[str, Any]]) -> None:
    rows = [
        (f["type"], f["status"], show.size(f["size"] or 0), f"{f['scope']}:{f['lfn']}")
        for f in files
    ]
    if rows:
        show.say("")
        show.table(("file", "status", "size", "name"), rows, empty="")


def _why(reason: Any) -> str:
    """The sentence of an event, or its facts."""
    if not isinstance(reason, dict):
        return str(reason or "")
    told = reason.get("reason") or reason.get("message")
    facts = (f"{name} {value}" for name, value in reason.items() if value not in (None, "", [], {}))
    return str(told or ", ".join(facts))[:160]


@app.command()
def kill(
    panda_ids: Annotated[list[int], typer.Argument(metavar="PANDAID...", min=1)],
    reason: Reason = BY_HAND,
    json: Json = False,
) -> None:
    """Kill jobs, my own or (with the right) any. Exit code 1 when one was refused."""
    from pandasite.cli.door import Door

    with Door(account.current()) as door:
        answer = door.post("jobs/kill", {"panda_ids": panda_ids, "reason": reason})
    if json:
        show.as_json(answer)
    else:
        rows = [
            (job["panda_id"], job.get("state") or "refused", job.get("message", ""))
            for job in answer["jobs"]
        ]
        show.table(("PandaID", "state", "why not"), rows, empty="")
    if refused := [job for job in answer["jobs"] if "error" in job]:
        raise CommandError(f"{len(refused)} of {len(panda_ids)} jobs were not killed")
