"""`pandasite`: the commands, and how each of their errors ends."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pandasite import __version__
from pandasite.cli import data, jobs, show, tags, tasks
from pandasite.cli.errors import CommandError
from pandasite.cli.login import login, logout, who

HELP = """Submit and follow work on a pandasite server, and move data to and from it.

To a running task in three commands (a token comes from `manage.py token NAME`):

  pandasite login http://127.0.0.1:8000

  pandasite task submit --transformation evgen.py --events 1000

  pandasite task show LAST --follow

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 server out of reach,
4 what was followed ended badly.
"""


class Group(TyperGroup):
    """Tells errors in sentences, each with its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """The command; a CommandError is no traceback."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            show.error(error)
            raise typer.Exit(int(error.ends)) from None


SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
app = typer.Typer(
    name="pandasite",
    cls=Group,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
    rich_markup_mode="markdown",
)
app.command()(login)
app.command()(logout)
app.command()(who)
for name, group in (
    ("task", tasks.app),
    ("tag", tags.app),
    ("job", jobs.app),
    ("data", data.app),
):
    app.add_typer(group, name=name, no_args_is_help=True, context_settings=SETTINGS)


def _version(wanted: bool) -> None:
    if wanted:
        show.say(f"pandasite {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """What stands in front of all commands."""


def main() -> None:
    """The command of this process's arguments."""
    app(prog_name="pandasite")
