#!/usr/bin/env python3
"""Bring files from another storage: what PandaMover's jobs run. Sizes and checksums are proved.

usage: mover.py --source file:///data/bnl --file mc09/ab/cd/EVNT.1:1000:0c2a04f1 [--file ...]

Each file is PATH:SIZE:ADLER32, the path below the source. The copies are the outputs of the job:
the pilot stores them. A source is a mounted folder (file://) or a web server (http://, https://).
"""

import argparse
import sys
import urllib.error
import urllib.request
import zlib
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote

from jobreport import BAD_INPUT, CANNOT_WRITE, TransformationError, run

PIECE = 1024 * 1024  # bytes
SECONDS = 60  # without a byte
WEB = {"http": "http", "https": "https", "dav": "http", "davs": "https"}


def main() -> int:
    """Bring all of them; the first that cannot be brought ends it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--source", required=True, help="address of the storage")
    parser.add_argument("--file", action="append", required=True, help="PATH:SIZE:ADLER32")
    args = parser.parse_args()
    return run(lambda: bring_all(args.source, args.file))


def bring_all(source: str, wanted: list[str]) -> dict[str, int]:
    """Copy each into the work folder. The copies have no events of their own."""
    for text in wanted:
        path, size, adler32 = parts_of(text)
        bring(source, path, size=size, adler32=adler32)
        print(f"{path.name}: {size} bytes, adler32 {adler32}")
    return {}


def parts_of(text: str) -> tuple[PurePosixPath, int, str]:
    """Path, size and checksum."""
    path, size, adler32 = text.rsplit(":", 2)
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts or not size.isdecimal():
        raise TransformationError(BAD_INPUT, f"{text!r} is no PATH:SIZE:ADLER32")
    return found, int(size), adler32


def bring(source: str, path: PurePosixPath, *, size: int, adler32: str) -> None:
    """One file, under its name in the work folder."""
    try:
        with opened(source, path) as reader:
            came, adler = copied(reader, Path(path.name))
    except urllib.error.HTTPError as error:
        error.close()
        raise TransformationError(BAD_INPUT, f"{source} answers {error.code}: {path}") from error
    except (OSError, ValueError) as error:
        raise TransformationError(BAD_INPUT, f"cannot read {path} at {source}: {error}") from error
    if (came, f"{adler:08x}") != (size, adler32):
        raise TransformationError(
            BAD_INPUT,
            f"{path} at {source} has {came} bytes and adler32 {adler:08x}, "
            f"the catalogue says {size} and {adler32}",
        )


def opened(source: str, path: PurePosixPath) -> AbstractContextManager[IO[bytes]]:
    """The content of a file at the source."""
    protocol, _, rest = source.partition("://")
    if protocol == "file":
        return (Path(rest) / path).open("rb")
    if protocol not in WEB:
        raise TransformationError(BAD_INPUT, f"{protocol}:// is not spoken here")
    address = f"{WEB[protocol]}://{rest.rstrip('/')}/{quote(str(path))}"
    answer: Any = urllib.request.urlopen(address, timeout=SECONDS)  # noqa: S310 (WEB names them)
    return answer


def copied(reader: IO[bytes], target: Path) -> tuple[int, int]:
    """Size and adler32 of what was written."""
    size, adler = 0, 1
    try:
        writer = target.open("wb")
    except OSError as error:
        raise TransformationError(CANNOT_WRITE, f"cannot write {target}: {error}") from error
    with writer:
        while piece := reader.read(PIECE):
            writer.write(piece)
            size += len(piece)
            adler = zlib.adler32(piece, adler)
    return size, adler


if __name__ == "__main__":
    sys.exit(main())
