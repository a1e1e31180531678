"""Collects the static files into the data folder when they changed."""

import hashlib
from pathlib import Path

from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

STAMP = ".collected"


def collect_if_changed(root: Path) -> bool:
    """Fills `root` (STATIC_ROOT) anew when a source file came, went or changed; returns whether.

    The stamp is written last, so a broken-off run is done again.
    """
    stamp, mark = root / STAMP, _mark()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == mark:
        return False
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(mark, encoding="ascii")
    return True


def _mark() -> str:
    """A digest over path, size and time of every source file: reading them all would take long."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{storage.path(name)}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
