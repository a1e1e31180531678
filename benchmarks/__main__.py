"""`python -m benchmarks [--only claim,life] [--scale 0.1] [--seconds 5]`, `... atlas`, `... table`.

Makes a data folder of its own, points the settings at it, and removes it at the end. TMPDIR says
where: the whole set at full scale wants some 10 GB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import django

from pandasite.embedded.home import temporary_home

RESULTS = Path(__file__).parent / "results"
OURS = ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "LOG_LEVEL")


def main() -> int:
    """Exit code 0 when everything could be measured, whatever the figures say."""
    options = _options()
    home = temporary_home()
    try:
        _point_settings_at(home.path)
        from benchmarks import command  # its imports need the settings

        return command.run(options, options.results)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(home.path, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Benchmarks of pandasite.")
    parser.add_argument("what", nargs="?", choices=("figures", "atlas", "table"), default="figures")
    parser.add_argument("--only", default="", help="names of figures, or their beginnings; commas")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the data: 0.1 for a quick look"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a window")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the atlas run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for what is found")
    parser.add_argument("--report", action="store_true", help="write the atlas report into docs/")
    return parser.parse_args()


def _point_settings_at(folder: Path) -> None:
    for name in [*os.environ]:
        if name in OURS or name.startswith("PANDASITE_"):
            del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "pandasite.settings",
        "PANDASITE_DATA": str(folder),
        "PANDASITE_BIND": "127.0.0.1:0",
        # A fill takes longer than any statement of the product may; its processes keep theirs.
        "PANDASITE_STATEMENT_SECONDS": "0",
    }
    django.setup()


if __name__ == "__main__":
    sys.exit(main())
