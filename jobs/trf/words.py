"""The parameters of a transformation, as prun writes them."""

from __future__ import annotations

import ast
import getopt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.trf.ends import BAD_PARAMETERS, NOT_OFFERED, Failed

WORDS_MAX = 1_000_000  # characters of a list or a table
# What prun may send: `:` and `=` mark what has a value.
SHORT = "a:i:j:l:o:p:r:"
LONG = (
    "sourceURL=", "cacheKey=", "bexec=", "inMap=", "trn=", "writeInputToTxt=",
    "execWithRealFileNames", "givenPFN", "mergeSingleFile", "noTarballDownload",
    "noCompile", "noExpandDBR", "debug", "cmtConfig=", "overwriteQueuedata=",
)  # fmt: skip
# These want software, containers or services that are not here.
ELSEWHERE = (
    "containerImage=", "cvmfs", "noX509", "datadir=", "workdir=", "useCentralRegistry=",
    "useAthenaPackages", "useRootCore", "useCMake", "rootVer=", "dbrFile=", "fileToSave=",
    "fileToLoad=", "preprocess", "postprocess", "goodRunListXML=", "goodRunListDataType=",
    "goodRunListProdStep=", "goodRunListDS=",
)  # fmt: skip
STREAM = re.compile(r"%([A-Za-z_][A-Za-z0-9_]*)")


def read(argv: Sequence[str]) -> dict[str, str]:
    """Options and values, by names such as `-a` and `--sourceURL`. Failed for what cannot be."""
    try:
        found, rest = getopt.getopt(list(argv), SHORT, [*LONG, *ELSEWHERE])
    except getopt.GetoptError as error:
        raise Failed(BAD_PARAMETERS, f"parameters: {error}") from error
    if rest:
        raise Failed(BAD_PARAMETERS, f"parameters: what is {rest[0][:80]!r}?")
    for name, _value in found:
        if name[2:] in [one.rstrip("=") for one in ELSEWHERE]:
            raise Failed(NOT_OFFERED, f"{name} is not offered here")
    return dict(found)


def table(name: str, text: str) -> dict[str, Any]:
    """The text of a dict of Python, with names as keys."""
    value = literal(name, text)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Failed(BAD_PARAMETERS, f"{name} is no table of names: {text[:80]}")
    return value


def names(name: str, value: object) -> list[str]:
    """A list of names, or one name."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)) or not all(isinstance(one, str) for one in found):
        raise Failed(BAD_PARAMETERS, f"{name} is no list of names: {str(value)[:80]}")
    return [str(one) for one in found]


def listed(name: str, text: str) -> list[str]:
    """The text of a list of Python, or names with commas between."""
    if text.lstrip()[:1] in ("[", "("):
        return names(name, literal(name, text))
    return [word.strip() for word in text.split(",") if word.strip()]


def literal(name: str, text: str) -> object:
    """Plain values and nothing else."""
    try:
        if len(text) > WORDS_MAX:
            raise ValueError("too long")
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise Failed(BAD_PARAMETERS, f"{name} cannot be read: {text[:80]}") from error


def plain(name: str) -> str:
    """The name of a file in the job's folder, and of nothing elsewhere."""
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise Failed(BAD_PARAMETERS, f"{name[:80]!r} is not the name of a file")
    return name


def below(folder: Path, name: str) -> Path:
    """A path in the folder, which must not lead out of it, by a link neither."""
    path = folder / name
    root = folder.resolve()
    resolved = path.resolve()
    if "\0" in name or (resolved != root and root not in resolved.parents):
        raise Failed(BAD_PARAMETERS, f"{name[:80]!r} leads out of the job's folder")
    return path


def filled(command: str, streams: Mapping[str, Sequence[str]]) -> str:
    """The command with `%IN` and its like as names with commas; other words stay as they are."""

    def of(match: re.Match[str]) -> str:
        return ",".join(streams[match[1]]) if match[1] in streams else match[0]

    return STREAM.sub(of, command)
