"""`pandasite tag`: names for a transformation, a release and parameters that stay together."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pandasite.cli import account, show
from pandasite.cli.options import BY_HAND, Json, Reason

app = typer.Typer(help="Tags: names for a program, a release and parameters. None ever changes.")

Name = Annotated[str, typer.Argument(metavar="TAG", help="Such as e1234.")]
WORDS = {"atlas_release": "release", "cmt_config": "platform", "job_parameters": "parameters"}
FACTS = (
    "name", "transformation", "atlas_release", "cmt_config", "homepackage", "job_parameters",
    "description", "made_by",
)  # fmt: skip


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option(help="How the name begins.")] = None,
    transformation: Annotated[str | None, typer.Option("--transformation", "-t")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    json: Json = False,
) -> None:
    """List tags, newest first."""
    from pandasite.cli.door import Door
    from pandasite.cli.pages import listed

    wanted = {"name": name, "transformation": transformation}
    with Door(account.current()) as door:
        tags = listed(door, "tags", "tags", limit=limit, wanted=wanted)
    if json:
        return show.as_json({"tags": tags})
    heads = ("tag", "transformation", "release", "platform", "made by", "made (UTC)", "what for")
    rows = [
        (t["name"], t["transformation"], t["atlas_release"], t["cmt_config"], t["made_by"],
         show.when(t["created_at"]), t["description"])
        for t in tags
    ]  # fmt: skip
    return show.table(heads, rows, empty="there is no such tag")


@app.command("show")
def show_(name: Name, json: Json = False) -> None:
    """Show what a tag stands for."""
    from pandasite.cli.door import Door, part

    with Door(account.current()) as door:
        tag = door.get(f"tags/{part(name)}")
    return show.as_json(tag) if json else _tell(tag)


def _tell(tag: dict[str, Any]) -> None:
    facts = [(WORDS.get(name, name.replace("_", " ")), tag[name]) for name in FACTS]
    show.facts([*facts, ("made (UTC)", show.when(tag["created_at"]))])


@app.command("new")
def new(
    name: Name,
    transformation: Annotated[str, typer.Option("--transformation", "-t", help="The program.")],
    release: Annotated[str, typer.Option(help="Such as Atlas-14.5.0; empty: a task says.")] = "",
    platform: Annotated[str, typer.Option(help="cmtConfig; empty: a task says.")] = "",
    homepackage: Annotated[str, typer.Option(help="Where the program is.")] = "",
    parameters: Annotated[str, typer.Option(help="Of its jobs, with placeholders.")] = "",
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    reason: Reason = BY_HAND,
    json: Json = False,
) -> None:
    """Make a tag, for good. It takes the permission jobs.add_tag."""
    from pandasite.cli.door import Door

    body = {
        "name": name, "transformation": transformation, "atlas_release": release,
        "cmt_config": platform, "homepackage": homepackage, "job_parameters": parameters,
        "description": description, "reason": reason,
    }  # fmt: skip
    with Door(account.current()) as door:
        tag = door.post("tags", body, again=True)
    return show.as_json(tag) if json else _tell(tag)
