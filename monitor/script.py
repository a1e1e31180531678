"""A job as a shell script, to run by hand what its pilot ran: environment, inputs, command. Pure.

Every text of the job is quoted: a job that could put a line of its own into the script would run
it with the rights of whoever looks for the job's error.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# As pilot_client/launch.py sets them.
THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENMM_CPU_THREADS",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file to bring: its address (None: nobody has it), and its adler32 where that is known."""

    lfn: str
    url: str | None
    adler32: str
    size: int | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What of the job the script is made of."""

    panda_id: int
    attempt_nr: int
    state: str
    site: str
    release: str
    platform: str
    transformation: str
    parameters: str
    cores: int
    inputs: Sequence[Input]
    outputs: Sequence[str]


_FETCH = """\
# The bytes of a file, and whether they are the right ones.
fetch() { # address, name, adler32 ('' = not known)
  echo "fetching $2"
  case "$1" in
    file://*) cp -- "${1#file://}" "$2" ;;
    *) curl --fail --location --silent --show-error --output "$2" -- "$1" ;;
  esac
  [ -z "$3" ] || check "$2" "$3"
}
check() { # name, adler32
  found=$(python3 -c 'import sys, zlib
sum = 1
with open(sys.argv[1], "rb") as f:
    while piece := f.read(1 << 22):
        sum = zlib.adler32(piece, sum)
print(f"{sum:08x}")' "$1")
  [ "$found" = "$2" ] || { echo "$1 has adler32 $found, not $2" >&2; exit 1; }
}
"""


def script(facts: Facts) -> str:
    """The whole script, for a POSIX shell."""
    return "\n".join([*_head(facts), *_environment(facts), *_inputs(facts), *_command(facts), ""])


def _head(facts: Facts) -> Iterator[str]:
    yield "#!/bin/sh"
    yield f"# Job {facts.panda_id}, attempt {facts.attempt_nr}, {facts.state}, run again by hand."
    yield f"# It ran at {_one_line(facts.site or 'no site yet')}."
    yield "# Usage: SOFTWARE=/path/of/the/software/area sh this-script [folder to work in]"
    yield "set -eu"
    yield ': "${SOFTWARE:?must be the software area: <release>/<platform>/<transformation>}"'
    yield f'work=${{1:-$(mktemp -d "${{TMPDIR:-/tmp}}/job-{facts.panda_id}.XXXXXX")}}'
    yield 'mkdir -p "$work/tmp"'
    yield 'cd "$work"'
    yield 'echo "working in $work"'


def _environment(facts: Facts) -> Iterator[str]:
    yield "\n# The environment that a pilot gives."
    yield 'export HOME="$work" TMPDIR="$work/tmp" LANG=C.UTF-8 PYTHONUNBUFFERED=1'
    yield f"export PANDAID={facts.panda_id}"
    yield f"ATLAS_RELEASE={_or_asked(facts.release, 'ATLAS_RELEASE', 'the job takes any release')}"
    yield f"CMTCONFIG={_or_asked(facts.platform, 'CMTCONFIG', 'the job takes any platform')}"
    yield "export ATLAS_RELEASE CMTCONFIG"
    yield "export " + " ".join(f"{name}={max(1, facts.cores)}" for name in THREADS)


def _or_asked(text: str, name: str, why: str) -> str:
    """The quoted text; where the job leaves it open, whoever runs the script has to say."""
    return shlex.quote(text) if text else f'"${{{name}:?{why}: choose one}}"'


def _inputs(facts: Facts) -> Iterator[str]:
    if not facts.inputs:
        yield "\n# It reads no files."
        return
    yield "\n" + _FETCH
    for f in facts.inputs:
        if f.url is None:
            words = f"no storage element has {f.lfn}: bring it here yourself"
            yield f"[ -f {_name(f.lfn)} ] || {{ echo {shlex.quote(words)} >&2; exit 1; }}"
            if f.adler32:
                yield f"check {_name(f.lfn)} {shlex.quote(f.adler32)}"
        else:
            yield f"fetch {shlex.quote(f.url)} {_name(f.lfn)} {shlex.quote(f.adler32)}"


def _name(lfn: str) -> str:
    """A name in this folder, which no program takes for an option."""
    return shlex.quote(f"./{lfn}")


def _command(facts: Facts) -> Iterator[str]:
    yield "\n# The command of the pilot: no shell looks into the parameters."
    program = f'"$SOFTWARE/$ATLAS_RELEASE/$CMTCONFIG"/{shlex.quote(facts.transformation)}'
    try:
        words = shlex.split(facts.parameters)
    except ValueError as error:
        yield f"echo {shlex.quote(f'its parameters cannot be read: {error}')} >&2; exit 1"
        return
    yield " ".join(["status=0;", program, *map(shlex.quote, words), "|| status=$?"])
    yield 'echo "exit code $status"'
    for lfn in facts.outputs:
        yield f"[ -f {_name(lfn)} ] || echo {shlex.quote(f'it has not made {lfn}')} >&2"
    yield "exit $status"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
