"""runMerge: many files of one kind as one, by the user's own command or by their kind."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.trf.collecting import collect
from jobs.trf.ends import BAD_PARAMETERS, NO_INPUT, NOT_MERGED, Failed, ending
from jobs.trf.sandbox import cleared, linked, prepared, shell
from jobs.trf.words import filled, names, plain, read, table

ARCHIVE = re.compile(r".*\.(tgz|tar\.gz)(\.\d+)?")
ROOT = re.compile(r".*\.root(\.\d+)?")
GZIP = re.compile(r".*\.gz(\.\d+)?")
LOOK_BYTES = 8192


def main() -> int:
    """The exit code: the command's own, or one of `ends`."""
    return ending(lambda: merge(read(sys.argv[1:])))


def merge(said: Mapping[str, str]) -> int:
    """`--trn "{'merged': ['a', 'b']}"` says what becomes of what."""
    wanted = table("--trn", said.get("--trn") or "{}")
    if not wanted:
        raise Failed(BAD_PARAMETERS, "--trn names no file to be made")
    folder = prepared(said, [said[name] for name in ("-a", "-l") if said.get(name)])
    for name, value in wanted.items():
        inputs = names("--trn", value)
        if not inputs:
            raise Failed(NO_INPUT, f"there is nothing to make {name} of")
        status = one(plain(name), inputs, said, folder)
        if status:
            return status
    cleared(said.get("-a", ""))
    return 0


def one(name: str, inputs: Sequence[str], said: Mapping[str, str], folder: Path) -> int:
    """Make one file; logs are always put together by their kind."""
    for source in inputs:
        if not Path(plain(source)).is_file():
            raise Failed(NO_INPUT, f"the input {source} is not in the job's folder")
    script = "" if ".log.tgz" in name else said.get("-j", "")
    if script and (len(inputs) > 1 or "--mergeSingleFile" in said):
        linked(inputs, folder)
        status = shell(filled(script, {"IN": inputs, "OUT": [name]}), folder)
        if status == 0:
            collect({name: name}, folder)
        return status
    put_together(name, inputs)
    return 0


def put_together(name: str, inputs: Sequence[str]) -> None:
    """By their kind, which the name of the file to be made says."""
    if len(inputs) == 1:
        shutil.copyfile(inputs[0], name)
    elif ARCHIVE.fullmatch(name):
        archives(name, inputs)
    elif ROOT.fullmatch(name):
        hadd(name, inputs)
    elif GZIP.fullmatch(name) or all(is_text(source) for source in inputs):
        with open(name, "wb") as target:
            for source in inputs:
                with open(source, "rb") as file:
                    shutil.copyfileobj(file, target, 1024 * 1024)
    else:
        raise Failed(NOT_MERGED, f"{inputs[0]} is no text: say by --mergeScript how to merge it")


def archives(name: str, inputs: Sequence[str]) -> None:
    """Archives in one, each in a folder of its own name."""
    try:
        with tarfile.open(name, "w:gz") as target:
            for source in inputs:
                with tarfile.open(source, "r:*") as tar:
                    for member in tar:
                        add(tar, member, target, folder=source)
    except (tarfile.TarError, EOFError) as error:
        raise Failed(NOT_MERGED, f"{source} is no archive: {error}") from error


def add(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: tarfile.TarFile, *, folder: str
) -> None:
    """One member that is a file."""
    if member.isreg():
        renamed = copy.copy(member)
        renamed.name = f"{folder}/{member.name}"
        target.addfile(renamed, tar.extractfile(member))


def hadd(name: str, inputs: Sequence[str]) -> None:
    """Files of ROOT, by its own program where the node has it."""
    program = shutil.which("hadd")
    if program is None:
        raise Failed(NOT_MERGED, "this node has no hadd to merge files of ROOT")
    status = subprocess.run([program, "-f", name, *inputs], check=False).returncode
    if status:
        raise Failed(NOT_MERGED, f"hadd ended with exit code {status}")


def is_text(source: str) -> bool:
    """Whether it begins as text does."""
    with open(source, "rb") as file:
        return b"\0" not in file.read(LOOK_BYTES)
