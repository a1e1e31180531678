"""`pandasite task`: submit, look at and steer tasks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pandasite.cli import account, show
from pandasite.cli.errors import Refused, Wrong
from pandasite.cli.options import BY_HAND, Every, Follow, Json, Reason
from pandasite.cli.submitting import submit

app = typer.Typer(help="Tasks: work that the server cuts into jobs, and carries to its end.")

Which = Annotated[str, typer.Argument(metavar="TASK", help="Number, name, or LAST: my newest.")]
Some = Annotated[list[str], typer.Argument(metavar="TASK...", help="Numbers, names, or LAST.")]
MOST = 10_000  # tasks whose names begin with that of the one that is meant

app.command()(submit)


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Such as running.")] = None,
    owner: Annotated[str | None, typer.Option(help="A user name.")] = None,
    mine: Annotated[bool, typer.Option("--mine", "-m", help="My own only.")] = False,
    name: Annotated[str | None, typer.Option(help="How the name begins.")] = None,
    campaign: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    json: Json = False,
) -> None:
    """List tasks, newest first."""
    from pandasite.cli.door import Door
    from pandasite.cli.following import words_of
    from pandasite.cli.pages import listed

    with Door(account.current()) as door:
        owner = door.get("me")["username"] if mine else owner
        wanted = {"state": state, "owner": owner, "name": name, "campaign": campaign}
        tasks = listed(door, "tasks", "tasks", limit=limit, wanted=wanted)
    if json:
        return show.as_json({"tasks": tasks})
    heads = ("task", "state", "owner", "priority", "progress", "made (UTC)", "name")
    rows = [
        (t["task_id"], t["state"] or "grouping", t["owner"], t["priority"], words_of(t)[:60],
         show.when(t["created_at"]), t["name"])
        for t in tasks
    ]  # fmt: skip
    return show.table(heads, rows, empty="there is no such task")


@app.command("show")
def show_(which: Which, follow: Follow = False, every: Every = 3.0, json: Json = False) -> None:
    """Show a task: its progress, what it waits for, and what happened."""
    from pandasite.cli.door import Door
    from pandasite.cli.following import follow as watch

    with Door(account.current()) as door:
        number = number_of(door, which)
        task = watch(door, number, every=every) if follow else door.get(f"tasks/{number}")
    if json:
        return show.as_json(task)
    return _tell(task)


def _tell(task: dict[str, Any]) -> None:
    from pandasite.cli.following import words_of

    datasets = [f"{d['role']} {d['name']} ({d['state']})" for d in task["datasets"]]
    children = [f"{t['task_id']} {t['name']} ({t['state']})" for t in task["children"]]
    show.facts(
        [
            ("task", f"{task['task_id']} {task['name']}"),
            ("state", task["state"] or "grouping"),
            ("waits for", task["waits_for"]),
            ("reason", task["reason"]),
            ("progress", words_of(task)),
            ("owner", task["owner"]),
            ("priority", task["priority"]),
            ("runs", f"{task['transformation']} {task['spec'].get('job_parameters', '')}".strip()),
            ("cloud", task["cloud"]),
            ("site", task["site"]),
            ("datasets", "; ".join(datasets)),
            ("children", "; ".join(children)),
        ]
    )
    rows = [
        (show.when(e["at"]), e["from_state"] or "-", e["to_state"], e["actor"], e["reason"])
        for e in task["history"]
    ]
    if rows:
        show.say("")
        show.table(("at (UTC)", "from", "to", "by", "why"), rows, empty="")


def number_of(door: Any, which: str) -> int:
    """The number of a task that is named by it, by its name (mine before others'), or as LAST."""
    from pandasite.cli.pages import listed

    if which.isascii() and which.isdigit():
        return int(which)
    mine = {"owner": door.get("me")["username"]}
    if which == "LAST":
        found = door.get("tasks", limit=1, **mine)["tasks"]
        if not found:
            raise Wrong("you have no task yet: `pandasite task submit --help`")
        return int(found[0]["task_id"])
    for more in (mine, {}):
        begun = listed(door, "tasks", "tasks", limit=MOST, wanted={"name": which, **more})
        same = [task for task in begun if task["name"] == which]
        if len(same) == 1:
            return int(same[0]["task_id"])
    if same:
        raise Wrong(f"{len(same)} users have a task {which}: say its number")
    raise Refused(status=404, problem={"message": f"there is no task {which}"})


def _steer(verb: str, tasks: list[str], body: dict[str, Any]) -> None:
    """Do the same to each; the first refusal ends it, with those before it done."""
    from pandasite.cli.door import Door

    with Door(account.current()) as door:
        for which in tasks:
            number = number_of(door, which)
            after = door.post(f"tasks/{number}/{verb}", body)
            show.say(f"task {number}: {after['state']}, {after['reason']}")


@app.command()
def kill(tasks: Some, reason: Reason = BY_HAND) -> None:
    """End tasks and their jobs."""
    _steer("kill", tasks, {"reason": reason})


@app.command()
def finish(tasks: Some, reason: Reason = BY_HAND) -> None:
    """End tasks with what they have: no new jobs, those that wait are cancelled."""
    _steer("finish", tasks, {"reason": reason})


@app.command()
def pause(tasks: Some, reason: Reason = BY_HAND) -> None:
    """Make no more jobs until `resume`; those that there are go on."""
    _steer("pause", tasks, {"reason": reason})


@app.command()
def resume(tasks: Some, reason: Reason = BY_HAND) -> None:
    """Go on where a task was paused."""
    _steer("resume", tasks, {"reason": reason})


@app.command()
def retry(
    tasks: Some,
    change: Annotated[
        list[str] | None,
        typer.Option("--change", "-c", help="A field that is different now: memory_mb=4000."),
    ] = None,
    reason: Reason = BY_HAND,
) -> None:
    """Try again what failed, with other parameters if need be."""
    from pandasite.cli.pages import changes_of

    changes = changes_of(change or [])
    _steer("retry", tasks, {"reason": reason} | ({"changes": changes} if changes else {}))


# A negative number is no option.
@app.command(context_settings={"ignore_unknown_options": True})
def priority(
    which: Which,
    number: Annotated[int, typer.Argument(metavar="PRIORITY", help="More is sooner.")],
    reason: Reason = BY_HAND,
) -> None:
    """Change the priority of a task, and of its jobs that no pilot has."""
    _steer("priority", [which], {"reason": reason, "priority": number})
