"""PanDA's client, unmodified, as a user calls it: in a folder, with a handful of variables."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 200  # for one call, on a busy machine
# Its own set-up, and then what differs: the address, and the token.
SETUP = 'source "$1/etc/panda/panda_setup.sh"; export PANDA_CONFIG_ROOT="$2"; shift 2; exec "$@"'
TASK = re.compile(r"jediTaskID=(\d+)")


@dataclass(frozen=True, kw_only=True)
class PandaClient:
    """The client of one user; `folder` is made, and has the user's sandbox in `work`."""

    environment: Path  # of panda-client
    folder: Path
    url: str
    token: str

    def __post_init__(self) -> None:
        (self.folder / "work").mkdir(parents=True)
        (self.folder / "config").mkdir()

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def call(self, *argv: str) -> tuple[int, str]:
        """Exit code, and all that it said."""
        words = ["bash", "-c", SETUP, "client", str(self.environment), str(self.folder / "config")]
        done = subprocess.run(
            [*words, *argv],
            cwd=self.work,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            text=True,
        )
        return done.returncode, done.stdout

    def prun(self, *options: str) -> int:
        """The number of the task that was made."""
        place = ("--vo", "atlas", "--tmpDir", str(self.folder))
        code, said = self.call("prun", *options, *place)
        found = TASK.search(said)
        assert code == 0 and found, said
        return int(found[1])

    def pbook(self, *words: object) -> str:
        """What it said; its exit code tells nothing."""
        return self.call("pbook", *map(str, words))[1]

    def _variables(self) -> dict[str, str]:
        server = f"{self.url}/server/panda"
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1,localhost",
            "PANDA_URL": server,
            "PANDA_URL_SSL": server,
            "PANDACACHE_URL": server,
            "PANDA_BEHIND_REAL_LB": "1",
            "PANDA_AUTH": "oidc",
            "PANDA_AUTH_VO": "atlas",
            "PANDA_AUTH_ID_TOKEN": self.token,
        }
