"""The pilots of the demo: one process per slot and site, watched by the launcher."""

import sys
from collections.abc import Mapping
from pathlib import Path

from pandasite.demo.grid import DemoFolder, Place

# Numeric libraries start a thread per core otherwise, and nine sites share this machine.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENMM_CPU_THREADS": "1",
}


def pilot_name(place: Place, slot: int) -> str:
    """The name of the child, and of its log."""
    return f"pilot-{place.name}-{slot}"


def node_name(place: Place, slot: int) -> str:
    """The worker node that this slot plays."""
    return f"wn{slot:02d}.{place.name.lower().replace('_', '-')}"


def command(
    folder: DemoFolder, place: Place, *, slot: int, server: str, token_file: Path
) -> list[str]:
    """The command line of a pilot that offers what the site's slots are said to offer."""
    work = folder.work(place) / f"{slot:02d}"
    work.mkdir(parents=True, exist_ok=True)
    options = {
        "--server": server.rstrip("/"),
        "--site": place.name,
        "--token-file": str(token_file),
        "--workdir": str(work),
        "--software": str(folder.software(place)),
        "--node": node_name(place, slot),
        "--factory": "demo",
        "--cpu-speed": str(place.cpu_speed_mhz),
        "--memory": str(place.memory_mb),
        "--cores": "1",
        "--labels": ",".join(place.labels),
        "--poll": "2",
        # The server's secrets lie there too, and in life they are on another machine.
        "--hide": str(folder.data),
    }
    words = [word for option in options.items() for word in option]
    return [sys.executable, "-m", "pilot_client", *words]


def environment(child: Mapping[str, str], *, code: Path) -> dict[str, str]:
    """What a pilot may know: where the code is, and nothing of the server's secrets."""
    kept = {key: child[key] for key in ("PATH", "HOME", "LANG", "LC_ALL", "TZ") if key in child}
    return kept | ONE_THREAD | {"PYTHONPATH": str(code), "PYTHONUNBUFFERED": "1"}
