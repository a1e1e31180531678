"""The command line, as one frozen object."""

from __future__ import annotations

import argparse
import os
import platform
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pilot_client import VERSION

DEFAULT_LABELS = ("managed", "user", "panda", "test")


@dataclass(frozen=True, kw_only=True)
class Config:
    """How this pilot was started; None and 0 mean: measure, or do as the server says."""

    server: str
    site: str
    token_file: Path
    workdir: Path
    software: Path
    node: str
    pilot_id: str
    factory: str
    labels: tuple[str, ...]
    cpu_speed_mhz: int
    memory_mb: int
    cores: int
    poll: float | None
    heartbeat: float | None
    max_jobs: int
    isolation: str
    network: bool
    hidden: tuple[Path, ...]
    copy_inputs: bool
    storage_secret: Path | None = None


def read(argv: Sequence[str]) -> Config:
    """The configuration; argparse ends the process with 2 and a sentence if it is wrong."""
    parsed = parser().parse_args(argv)
    node = parsed.node or platform.node() or "localhost"
    return Config(
        server=parsed.server,
        site=parsed.site,
        token_file=parsed.token_file.absolute(),
        workdir=parsed.workdir.resolve(),
        software=parsed.software.resolve(),
        node=node,
        pilot_id=f"{node[:32]}.{os.getpid()}.{uuid.uuid4().hex[:8]}",
        factory=parsed.factory,
        labels=parsed.labels,
        cpu_speed_mhz=parsed.cpu_speed,
        memory_mb=parsed.memory,
        cores=parsed.cores,
        poll=parsed.poll,
        heartbeat=parsed.heartbeat,
        max_jobs=1 if parsed.once else parsed.max_jobs,
        isolation=parsed.isolation,
        network=parsed.network,
        hidden=tuple(path.resolve() for path in parsed.hide),
        copy_inputs=parsed.copy_inputs,
        storage_secret=parsed.storage_secret and parsed.storage_secret.absolute(),
    )


def parser() -> argparse.ArgumentParser:
    """Every option. The token has none: a command line is seen by everybody on the node."""
    made = argparse.ArgumentParser(
        prog="python -m pilot_client", description="Fetch jobs for this node and run them."
    )
    made.add_argument("--version", action="version", version=VERSION)
    add_required(made)
    add_node(made)
    add_pace(made)
    add_payload(made)
    return made


def add_required(made: argparse.ArgumentParser) -> None:
    """Where to ask, as whom, and where things are."""
    made.add_argument("--server", required=True, metavar="URL", help="http(s)://host[:port]")
    made.add_argument("--site", required=True, help="computing site this pilot runs at")
    made.add_argument("--token-file", required=True, type=Path, help="file with the pilot token")
    made.add_argument("--workdir", required=True, type=Path, help="job folders are made here")
    made.add_argument(
        "--software", required=True, type=Path, help="area of <AtlasRelease>/<cmtConfig>/ folders"
    )


def add_node(made: argparse.ArgumentParser) -> None:
    """Facts that are measured if they are not given."""
    made.add_argument("--node", default="", help="name of this node")
    made.add_argument("--factory", default="", help="name of the factory that sent this pilot")
    made.add_argument(
        "--labels",
        type=labels,
        default=DEFAULT_LABELS,
        help="prodSourceLabels to ask for, with commas (default: managed,user,panda,test)",
    )
    made.add_argument("--cpu-speed", type=count, default=0, metavar="MHZ", help="CPU speed")
    made.add_argument("--memory", type=count, default=0, metavar="MB", help="memory of this slot")
    made.add_argument("--cores", type=count, default=0, help="cores of this slot")


def add_pace(made: argparse.ArgumentParser) -> None:
    """How often, how many."""
    made.add_argument(
        "--poll", type=positive, metavar="S", help="wait no longer than this when there is no job"
    )
    made.add_argument("--heartbeat", type=positive, metavar="S", help="instead of the server's")
    made.add_argument("--max-jobs", type=count, default=0, metavar="N", help="end after N jobs")
    made.add_argument("--once", action="store_true", help="end after one job")


def add_payload(made: argparse.ArgumentParser) -> None:
    """How the payload is kept apart."""
    made.add_argument(
        "--isolation",
        choices=("auto", "none"),
        default="auto",
        help="auto: bubblewrap where it works, else nothing but an own session",
    )
    made.add_argument("--network", action="store_true", help="let the isolated payload use it")
    made.add_argument(
        "--hide",
        type=Path,
        action="append",
        default=[],
        help="folder that an isolated payload does not see",
    )
    made.add_argument(
        "--copy-inputs", action="store_true", help="copy inputs to the job instead of linking"
    )
    made.add_argument(
        "--storage-secret",
        type=Path,
        metavar="FILE",
        help="user:password or bearer TOKEN of the site's storage, where it is WebDAV or XRootD",
    )


def count(text: str) -> int:
    """A whole number from 0 on."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is below 0")
    return value


def positive(text: str) -> float:
    """Seconds over 0, at most a day."""
    value = float(text)
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 86400 seconds")
    return value


def labels(text: str) -> tuple[str, ...]:
    """Comma-separated words."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
