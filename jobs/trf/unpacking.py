"""Unpacks an archive of somebody's into a folder, and touches nothing outside of it."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from jobs.trf.ends import BAD_SANDBOX, Failed

MEMBERS_MAX = 200_000


def unpack(archive: Path, into: Path) -> None:
    """Files, folders and links that stay inside. Failed for anything else."""
    root = os.path.realpath(into)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for number, member in enumerate(tar):
                if number >= MEMBERS_MAX:
                    raise Failed(BAD_SANDBOX, f"{archive.name} has over {MEMBERS_MAX} members")
                place(tar, member, root)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Failed(BAD_SANDBOX, f"{archive.name} cannot be unpacked: {error}") from error


def place(tar: tarfile.TarFile, member: tarfile.TarInfo, root: str) -> None:
    """One member. What lies at its place already makes room, as tar has it."""
    target = path_in(root, member.name)
    if target == root:
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if member.isdir():
        os.makedirs(path_in(root, member.name, whole=True), exist_ok=True)
        return
    if os.path.lexists(target) and not os.path.isdir(target):
        os.unlink(target)
    if member.isreg() and not member.issparse():
        write(tar, member, target)
    elif member.issym():
        link(member, target, root)
    elif member.islnk():
        shutil.copy(path_in(root, member.linkname, whole=True), target)
    else:
        raise Failed(BAD_SANDBOX, f"{member.name[:80]!r} is neither file, folder nor link")


def path_in(root: str, name: str, *, whole: bool = False) -> str:
    """The path of a member; its folder (or, `whole`, all of it) is inside, links followed."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Failed(BAD_SANDBOX, f"{name[:80]!r} leads out of the archive")
    path = os.path.join(root, *parts)
    if not inside(root, path if whole else os.path.dirname(path)) and path != root:
        raise Failed(BAD_SANDBOX, f"{name[:80]!r} leads out of the archive by a link")
    return path


def inside(root: str, path: str) -> bool:
    """Whether it is there, links followed."""
    return os.path.realpath(path) == root or os.path.realpath(path).startswith(root + os.sep)


def write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: str) -> None:
    """A file, with the right to be run if it had it."""
    source = tar.extractfile(member)
    assert source is not None  # a regular member
    with source, open(target, "xb") as file:
        shutil.copyfileobj(source, file, 1024 * 1024)
    os.chmod(target, 0o755 if member.mode & 0o111 else 0o644)


def link(member: tarfile.TarInfo, target: str, root: str) -> None:
    """A symbolic link to something inside."""
    there = os.path.join(os.path.dirname(target), member.linkname)
    if member.linkname.startswith("/") or "\0" in member.linkname or not inside(root, there):
        raise Failed(BAD_SANDBOX, f"the link {member.name[:80]!r} leads out of the archive")
    os.symlink(member.linkname, target)
