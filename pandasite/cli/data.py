"""`pandasite data`: look at datasets, bring files here and there, subscribe."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from pandasite.cli import account, show
from pandasite.cli.errors import CommandError, EndedBadly, Refused, Wrong
from pandasite.cli.options import Every, Follow, Json

app = typer.Typer(help="Data: datasets and their files.")


@app.command()
def ls(
    name: Annotated[
        str, typer.Argument(help="A dataset, whose files are listed; or how names begin.")
    ] = "",
    project: Annotated[str | None, typer.Option()] = None,
    state: Annotated[str | None, typer.Option(help="Of datasets, such as open.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000)] = 100,
    json: Json = False,
) -> None:
    """List datasets, newest first; or the files of one."""
    from pandasite.cli.door import Door, part
    from pandasite.cli.pages import listed

    with Door(account.current()) as door:
        if name and not (project or state) and _is_dataset(door, name):
            files = listed(
                door, f"datasets/{part(name)}/files", "files", limit=limit, cursor="after"
            )
            return show.as_json({"files": files}) if json else _show_files(files)
        wanted = {"name": name, "project": project, "state": state}
        found = listed(door, "datasets", "datasets", limit=limit, wanted=wanted)
    if json:
        return show.as_json({"datasets": found})
    heads = ("files", "size", "events", "state", "owner", "made (UTC)", "dataset")
    rows = [
        (d["n_files"], show.size(d["n_bytes"]), d["n_events"], d["state"], d["owner"],
         show.when(d["created_at"]), d["name"])
        for d in found
    ]  # fmt: skip
    return show.table(heads, rows, empty="there is no such dataset")


def _is_dataset(door: Any, name: str) -> bool:
    from pandasite.cli.door import part

    try:
        door.get(f"datasets/{part(name)}")
    except Refused as error:
        if error.status in (400, 404):
            return False
        raise
    return True


def _show_files(files: list[dict[str, Any]]) -> None:
    heads = ("bytes", "adler32", "events", "at", "file")
    rows = [
        (f["size"], f["adler32"], f["events"] if f["events"] is not None else "",
         ", ".join(f["storages"]) or "nowhere", f"{f['scope']}:{f['lfn']}")
        for f in files
    ]  # fmt: skip
    show.table(heads, rows, empty="it has no files yet")


@app.command()
def get(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Datasets, and files as scope:lfn.")
    ],
    to: Annotated[
        Path, typer.Option("--to", "-o", help="Folder; each dataset has one of its own in it.")
    ] = Path("."),
) -> None:
    """Bring files here, each proven by size and checksum.

    What is there already is kept: start it again, and it goes on with the files that are missing.
    """
    from pandasite.cli import carrying
    from pandasite.cli.door import Door
    from pandasite.cli.meter import Meter

    with Door(account.current()) as door:
        wanted = [(file, folder) for name in names for file, folder in _named(door, name, to)]
        meter = Meter(files=len(wanted), size=sum(file["size"] for file, _ in wanted))
        taken: dict[Path, str] = {}
        with meter:
            for file, folder in wanted:
                name = f"{file['scope']}:{file['lfn']}"
                with meter.of(name):
                    _take(taken, folder / file["lfn"], name)
                    folder.mkdir(parents=True, exist_ok=True)
                    fresh = carrying.fetch(door, file, folder, moved=meter.moved)
                    meter.done("brought" if fresh else "was there")
    meter.judge()


def _take(taken: dict[Path, str], place: Path, name: str) -> None:
    """CommandError when another file of this call has the place: scopes make no folders here."""
    if (other := taken.setdefault(place, name)) != name:
        raise CommandError(f"{other} is {place}: get this one into another folder")


def _named(door: Any, name: str, to: Path) -> Iterable[tuple[dict[str, Any], Path]]:
    """The files that a name means, each with the folder it goes to."""
    from pandasite.cli.door import part
    from pandasite.cli.pages import listed

    scope, colon, lfn = name.partition(":")
    if colon:
        return [(door.get(f"files/{part(scope)}/{part(lfn)}"), to)]
    path = f"datasets/{part(name)}/files"
    files = listed(door, path, "files", limit=10**9, cursor="after")
    folder = to / name.strip("/").replace("/", ".")
    return [(file, folder) for file in files]


@app.command()
def put(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False)],
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="That they become files of; made if new.")
    ] = None,
    scope: Annotated[str | None, typer.Option(help="user.ME, unless said.")] = None,
) -> None:
    """Store files, each proven by size and checksum; the name of a file is its LFN.

    What is there already with the same content is kept: start it again, and it goes on.
    """
    from pandasite.cli import carrying
    from pandasite.cli.door import Door
    from pandasite.cli.meter import Meter

    twice = {file.name for file in files if [f.name for f in files].count(file.name) > 1}
    if twice:
        raise Wrong(f"two files are called {min(twice)}: in a scope a name is given once")
    with Door(account.current()) as door:
        scope = scope or f"user.{door.get('me')['username']}"
        if dataset and not _is_dataset(door, dataset):
            door.post("datasets", {"name": dataset})
            show.note(f"made the dataset {dataset}")
        meter = Meter(files=len(files), size=sum(file.stat().st_size for file in files))
        with meter:
            for file in files:
                with meter.of(str(file)):
                    kept = carrying.send(
                        door, file, scope=scope, lfn=file.name, dataset=dataset or "",
                        moved=meter.moved,
                    )  # fmt: skip
                    meter.done("was there" if kept["replayed"] else f"is {scope}:{file.name}")
    meter.judge()


@app.command()
def subscribe(
    dataset: Annotated[str, typer.Argument()],
    storage: Annotated[str, typer.Argument(help="Storage element where all of it is wanted.")],
    priority: Annotated[int, typer.Option(help="More is sooner.")] = 0,
    activity: Annotated[str, typer.Option()] = "user",
    follow: Follow = False,
    every: Every = 3.0,
    json: Json = False,
) -> None:
    """Have a dataset at a storage element, its future files too. Asked again, it is the same."""
    from pandasite.cli.door import Door

    body = {"dataset": dataset, "storage": storage, "priority": priority, "activity": activity}
    with Door(account.current()) as door:
        wish = door.post("subscriptions", body, again=True)
        if follow:
            wish = _follow(door, wish["id"], every=every)
    return show.as_json(wish) if json else _tell(wish)


@app.command()
def status(
    number: Annotated[int | None, typer.Argument(min=1, help="Of a subscription.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d")] = None,
    storage: Annotated[str | None, typer.Option()] = None,
    state: Annotated[str | None, typer.Option(help="open, done or given_up.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    follow: Follow = False,
    every: Every = 3.0,
    json: Json = False,
) -> None:
    """Tell how far a subscription is; or list subscriptions."""
    from pandasite.cli.door import Door
    from pandasite.cli.pages import listed

    if follow and number is None:
        raise Wrong("--follow needs the number of a subscription")
    with Door(account.current()) as door:
        if number is not None:
            one = f"subscriptions/{number}"
            wish = _follow(door, number, every=every) if follow else door.get(one)
            return show.as_json(wish) if json else _tell(wish)
        wanted = {"dataset": dataset, "storage": storage, "state": state}
        found = listed(door, "subscriptions", "subscriptions", limit=limit, wanted=wanted)
    if json:
        return show.as_json({"subscriptions": found})
    heads = ("number", "state", "to", "priority", "owner", "since (UTC)", "dataset")
    rows = [
        (s["id"], s["state"], s["storage"], s["priority"], s["owner"],
         show.when(s["created_at"]), s["dataset"])
        for s in found
    ]  # fmt: skip
    return show.table(heads, rows, empty="there is no such subscription")


def _tell(wish: dict[str, Any]) -> None:
    show.facts(
        [
            ("subscription", wish["id"]),
            ("dataset", wish["dataset"]),
            ("to", wish["storage"]),
            ("state", wish["state"]),
            ("files there", f"{wish['files_ready']} of {wish['files']}"),
            ("reason", wish["reason"]),
            ("last error", wish["last_error"]),
            ("owner", wish["owner"]),
            ("since (UTC)", show.when(wish["created_at"])),
        ]
    )


def _follow(door: Any, number: int, *, every: float) -> dict[str, Any]:
    """The subscription when it is open no longer; EndedBadly when it was given up."""
    from pandasite.cli.following import looks
    from pandasite.cli.meter import Meter

    wish: dict[str, Any] = {}
    meter: Meter | None = None
    for wish in looks(door, f"subscriptions/{number}", every=every, over=_is_over):
        meter = meter or Meter(files=wish["files"], size=0)
        meter.stand(wish["files_ready"], wish["files"], wish["last_error"])
    if meter:
        meter.close()
    if wish["state"] != "done":
        raise EndedBadly(f"subscription {number} is {wish['state']}: {wish['reason']}")
    return wish


def _is_over(wish: dict[str, Any]) -> bool:
    return bool(wish["state"] != "open")
