"""`pandasite task submit`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from pandasite.cli import account, show
from pandasite.cli.errors import Wrong
from pandasite.cli.options import Every, Follow, Json

NO_FIELDS = ("file", "dry_run", "follow", "every", "json")


# Long because each option is a parameter.
def submit(
    file: Annotated[
        Path | None, typer.Argument(help="JSON or TOML with one task or more; - reads a pipe.")
    ] = None,
    transformation: Annotated[
        str | None, typer.Option("--transformation", "-t", help="The program that jobs run.")
    ] = None,
    events: Annotated[int | None, typer.Option("--events", "-n", help="To make, in all.")] = None,
    events_per_job: Annotated[int | None, typer.Option(help="A tenth, unless said.")] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="Dataset to read; again for more.")
    ] = None,
    files_per_job: Annotated[int | None, typer.Option(help="Input files of a job.")] = None,
    job_parameters: Annotated[
        str | None,
        typer.Option("--parameters", "-p", help="With placeholders such as ${OUTPUT0}."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="user.ME.PROGRAM.TIME, unless said.")] = None,
    output: Annotated[str | None, typer.Option(help="Dataset; NAME.OUT, unless said.")] = None,
    suffix: Annotated[str, typer.Option(help="Of output files.")] = ".root",
    vo: Annotated[str | None, typer.Option(help="My last task's, or that of most sites.")] = None,
    tag: Annotated[str | None, typer.Option(help="Transformation, release and parameters.")] = None,
    atlas_release: Annotated[str | None, typer.Option("--release")] = None,
    cmt_config: Annotated[str | None, typer.Option("--platform")] = None,
    working_group: Annotated[str | None, typer.Option("--group")] = None,
    prod_source_label: Annotated[str | None, typer.Option("--label")] = None,
    priority: Annotated[int | None, typer.Option()] = None,
    campaign: Annotated[str | None, typer.Option()] = None,
    parent: Annotated[str | None, typer.Option(help="A task that this one goes on from.")] = None,
    memory_mb: Annotated[int | None, typer.Option("--memory", help="MB of a job.")] = None,
    disk_mb: Annotated[int | None, typer.Option("--disk", help="MB of a job.")] = None,
    wall_s: Annotated[int | None, typer.Option("--wall", help="Seconds of a job.")] = None,
    core_count: Annotated[int | None, typer.Option("--cores")] = None,
    max_attempts: Annotated[int | None, typer.Option("--attempts")] = None,
    cloud: Annotated[str | None, typer.Option()] = None,
    site: Annotated[str | None, typer.Option()] = None,
    destination_se: Annotated[str | None, typer.Option("--to", help="Storage element.")] = None,
    scouts: Annotated[
        bool | None, typer.Option("--scouts/--no-scouts", help="A few jobs first, to measure.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the request only.")] = False,
    follow: Follow = False,
    every: Every = 3.0,
    json: Json = False,
) -> None:
    """Submit what a file describes, or one task by options.

    Sent again, the same request is the same task: its name stands for it.
    """
    said = {k: v for k, v in locals().items() if k not in NO_FIELDS}
    given = {k: v for k, v in said.items() if v not in (None, []) and k != "suffix"}
    if file and given:
        words = f"the request is in {file}: leave out {', '.join(sorted(given))}, or the file"
        raise Wrong(words)
    _submit(file, said, dry_run=dry_run, watch=every if follow else None, json=json)


def _submit(
    file: Path | None, said: dict[str, Any], *, dry_run: bool, watch: float | None, json: bool
) -> None:
    from pandasite.cli import requests_of
    from pandasite.cli.door import Door
    from pandasite.cli.following import follow

    with Door(account.current()) as door:
        if file:
            tasks = requests_of.read(file, key="tasks")
        else:
            now = dt.datetime.now(dt.UTC)
            tasks = [requests_of.task_of(said, me=door.get("me"), now=now)]
        body = {"tasks": tasks}
        if dry_run:
            return show.as_json(body)
        answer = door.post("tasks", body, again=True)
        if json:
            show.as_json(answer)
        for one in answer["tasks"]:
            words = f"task {one['task_id']} {one['name']}: {one['state']}"
            show.note(words) if json else show.say(words)
        if watch is not None:
            for one in answer["tasks"]:
                follow(door, one["task_id"], every=watch)
    return None
