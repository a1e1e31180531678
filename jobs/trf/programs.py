"""The transformations as programs: modules of this folder, put into one file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

PATH: Final = "/trf/user/"
COMMON: Final = ("ends", "words", "unpacking", "sandbox", "collecting")
# Under PanDA's names, which its clients and its pilots' sites know.
RUN, BUILD, MERGE = "runGen-00-00-02", "buildGen-00-00-01", "runMerge-00-00-02"
MAINS: Final[Mapping[str, str]] = {RUN: "run", BUILD: "build", MERGE: "merge"}
_OF_ANOTHER = re.compile(r"^from (__future__|jobs\.trf\.\w+) import .*\n", re.MULTILINE)
_HEAD = '''#!/usr/bin/env python3
"""{name}, a transformation of pandasite: docs/sandboxes.md."""

from __future__ import annotations
'''


@dataclass(frozen=True, kw_only=True)
class Program:
    """A transformation: where it is handed out, what it says, and its SHA-256."""

    name: str
    path: str
    text: bytes
    sha256: str


@cache
def program(name: str) -> Program | None:
    """The transformation of this name, None when it is none of ours."""
    if name not in MAINS:
        return None
    parts = [_HEAD.format(name=name), *(_source(module) for module in (*COMMON, MAINS[name]))]
    text = "\n\n".join([*parts, "sys.exit(main())\n"]).encode()
    return Program(name=name, path=PATH + name, text=text, sha256=hashlib.sha256(text).hexdigest())


def _source(module: str) -> str:
    """A module without what it takes from the others: all of it is in the file already."""
    text = files("jobs.trf").joinpath(f"{module}.py").read_text(encoding="utf-8")
    return _OF_ANOTHER.sub("", text).strip()
