"""A real XRootD server with a tape behind it, which is a folder.

What is on tape is known to the server by its program for remote storage, and said to be offline.
`prepare` runs a program of ours, which only notes what was asked for: the test brings the files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.datasets.xrootd import Running, give_away, program, xrootd

CONFIG = """
all.export / stage
oss.rsscmd {folder}/remote
oss.stagecmd {no}
ofs.preplib libXrdOfsPrepGPI.so -admit {admit} -run {folder}/prepare
xrootd.chksum adler32
"""
REMOTE = """#!/bin/sh
# statx|exists PATH: what there is on tape
[ -f "{folder}/tape$2" ] || {{ echo 2; exit; }}
echo 0
[ "$1" = statx ] && echo "- rw-r--r-- 1 0 0 0 0 0 $(stat -c %s "{folder}/tape$2") 4096 1"
exit 0
"""
PREPARE = """#!/bin/sh
# [options] -- REQUEST stage|query PATH...
while [ "$1" != -- ]; do shift; done
request=$2 verb=$3
shift 3
if [ "$verb" = stage ]; then
  for path; do echo "$request $path" >> {folder}/admin/asked; done
  exit
fi
printf '{{"request_id": "%s", "responses": [' "$request"
comma=
for path; do
  online=false why=
  [ -f "{folder}/data$path" ] && online=true
  grep -qsx "$path" {folder}/admin/broken && why="the tape is broken"
  asked=false
  grep -qsxF "$request $path" {folder}/admin/asked && asked=true
  printf '%s{{"path": "%s", "online": %s, "requested": %s, "error_text": "%s"}}' \\
    "$comma" "$path" "$online" "$asked" "$why"
  comma=", "
done
echo "]}}"
"""


@dataclass(frozen=True)
class Robot:
    """The tape of a running server."""

    server: Running

    @property
    def url(self) -> str:
        return f"{self.server.url}//disk"

    def keep(self, path: str, content: bytes) -> None:
        """Have a file on tape only."""
        to = self.server.folder / "tape" / "disk" / path
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(content)

    def bring(self, path: str) -> None:
        """Stage it."""
        to = self.server.data / "disk" / path
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.server.folder / "tape" / "disk" / path, to)

    def breaks(self, path: str) -> None:
        with open(self._notes("broken"), "a", encoding="utf-8") as file:
            file.write(f"/disk/{path}\n")

    def forgets(self) -> None:
        """What it was asked for."""
        self._notes("asked").write_text("")

    def asked(self) -> list[tuple[str, str]]:
        """(request, path) of what it was asked for."""
        lines = self._notes("asked").read_text(encoding="utf-8").splitlines()
        return [(request, path) for request, path in (line.split(" ") for line in lines)]

    def _notes(self, name: str) -> Path:
        return self.server.folder / "admin" / name


@contextmanager
def xrootd_tape(*, tells: bool = True) -> Iterator[Robot]:
    """A server with a tape; one that does not tell is not asked how far a request is."""
    admit = "prep,stage,query" if tells else "prep,stage"
    more = CONFIG.replace("{no}", str(program("false"))).replace("{admit}", admit)
    programs = {"remote": REMOTE, "prepare": PREPARE}
    with xrootd(more=more, files=programs) as server:
        for name in ("asked", "broken"):
            (server.folder / "admin" / name).touch()
            give_away(server.folder / "admin" / name)
        yield Robot(server)
