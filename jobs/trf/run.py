"""runGen: the user's command in the sandbox, with its inputs beside it."""

from __future__ import annotations

import re
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from jobs.trf.collecting import collect
from jobs.trf.ends import BAD_PARAMETERS, Failed, ending
from jobs.trf.sandbox import cleared, linked, prepared, shell
from jobs.trf.words import below, filled, listed, names, read, table


def main() -> int:
    """The exit code: the command's own, or one of `ends`."""
    return ending(lambda: run(read(sys.argv[1:])))


def run(said: Mapping[str, str]) -> int:
    """Unpack, place the inputs, run, and bring the outputs."""
    if not said.get("-p"):
        raise Failed(BAD_PARAMETERS, "-p names no command")
    folder = prepared(said, [said[name] for name in ("-a", "-l") if said.get(name)])
    streams = inputs_of(said)
    if "--givenPFN" not in said:
        linked([name for stream in streams.values() for name in stream], folder)
    write_lists(said, streams, folder)
    command, outputs = command_of(said, streams), outputs_of(said)
    if "--execWithRealFileNames" in said:
        command = renamed(command, outputs)
        outputs = {name: name for name in outputs.values()}
    status = shell(command, folder)
    if status == 0:
        collect(outputs, folder)
        cleared(said.get("-a", ""))
    return status


def inputs_of(said: Mapping[str, str]) -> dict[str, list[str]]:
    """The inputs by their streams: `IN`, and those of secondary datasets."""
    streams = {"IN": listed("-i", said["-i"])} if said.get("-i") else {}
    for stream, value in table("--inMap", said.get("--inMap") or "{}").items():
        streams[stream] = names("--inMap", value)
    return streams


def outputs_of(said: Mapping[str, str]) -> dict[str, str]:
    """What the command makes, by its own name, and what the server calls it."""
    outputs = table("-o", said.get("-o") or "{}")
    return {made: names("-o", name)[0] for made, name in outputs.items()}


def command_of(said: Mapping[str, str], streams: Mapping[str, list[str]]) -> str:
    """The line, which comes percent-encoded."""
    return filled(urllib.parse.unquote(said["-p"]), streams)


def renamed(command: str, outputs: Mapping[str, str]) -> str:
    """The line with the server's names of the outputs, where they stand as words of their own."""
    words = "|".join(re.escape(made) for made in sorted(outputs, key=len, reverse=True))
    if words:
        command = re.sub(rf"(?<![\w.-])({words})(?![\w.-])", lambda m: outputs[m[1]], command)
    return command


def write_lists(said: Mapping[str, str], streams: Mapping[str, list[str]], folder: Path) -> None:
    """`IN:list.txt,IN2:more.txt`: the names of a stream as lines of a file."""
    for pair in filter(None, said.get("--writeInputToTxt", "").split(",")):
        stream, _, name = pair.partition(":")
        lines = "".join(f"{one}\n" for one in streams.get(stream, ()))
        below(folder, name or "input.txt").write_text(lines, encoding="utf-8")
