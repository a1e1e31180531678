"""The tasks of these tests, sent one after another by prun; they run side by side."""

from __future__ import annotations

from dataclasses import dataclass

from tests.clients.client import PandaClient
from tests.clients.grid import DATASET, QUEUE, USER
from tests.clients.site import ClientSite

# Of an input: fails where it is given two files.
ONE_FILE = """case $1 in *,*) echo "one file, please" >&2; exit 3;; esac
cat "$1" > out.txt
"""
SANDBOXES = {
    "plain": ("hello.sh", 'echo "hello $1" > out.txt\n'),
    "build": ("source.txt", "made of the source\n"),
    "retry": ("one.sh", ONE_FILE),
}
OPTIONS = {
    "kill": ("--exec", "sleep 900; echo > out.txt", "--noBuild"),
    "plain": (
        "--exec", "bash hello.sh world", "--nJobs", "3", "--noBuild", "--site", QUEUE,
    ),
    "retry": ("--exec", "bash one.sh %IN", "--inDS", DATASET, "--nFilesPerJob", "2", "--noBuild"),
    "input": (
        "--exec", "cat $(echo %IN | tr , ' ') > out.txt", "--inDS", DATASET,
        "--nFilesPerJob", "2", "--noBuild",
    ),
    "build": (
        "--exec", "cat built/product.txt > out.txt", "--nJobs", "2",
        "--bexec", "mkdir built; cp source.txt built/product.txt",
    ),
    "rndm": ("--exec", "echo seed %RNDM=10 > out.txt", "--nJobs", "3", "--noBuild"),
    "finish": ("--exec", "sleep 2; echo > out.txt", "--nJobs", "40", "--noBuild"),
}  # fmt: skip
LATER = ("finish",)  # it would be over when its turn comes


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Each task by its word, with the client of the user who sent it."""

    site: ClientSite
    users: dict[str, PandaClient]
    tasks: dict[str, int]

    @classmethod
    def to(cls, site: ClientSite) -> Sent:
        """Send all but those of LATER."""
        made = cls(site=site, users={}, tasks={})
        for word in OPTIONS:
            if word not in LATER:
                made.send(word)
        return made

    def send(self, word: str) -> int:
        """One more."""
        user = self.users[word] = self.site.user(word)
        if word in SANDBOXES:
            name, text = SANDBOXES[word]
            (user.work / name).write_text(text)
        more = ("--outDS", name_of(word), "--outputs", "out.txt", "--maxAttempt", "1")
        self.tasks[word] = user.prun(*OPTIONS[word], *more)
        return self.tasks[word]


def name_of(word: str) -> str:
    """The name of the task."""
    return f"user.{USER}.{word}"
