"""How the pilots of these tests are started, by the launcher or by hand."""

from __future__ import annotations

from pandasite.demo import pilots
from pandasite.demo.grid import DemoFolder, Place


def pilot_command(folder: DemoFolder, place: Place, *, slot: int, server: str) -> list[str]:
    """A pilot that is quick to ask again. Without a sandbox, in which nothing can be journalled."""
    token = folder.site(place) / "token"
    argv = pilots.command(folder, place, slot=slot, server=server, token_file=token)
    return [*argv, "--poll", "1", "--isolation", "none"]
