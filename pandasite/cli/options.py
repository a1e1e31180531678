"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

BY_HAND = "asked for on the command line"
Json = Annotated[bool, typer.Option("--json", help="As the server gives it, for programs.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Watch it until it ends.")]
Every = Annotated[float, typer.Option(min=0, max=3600, help="Seconds between two looks.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Kept with my name.")]
