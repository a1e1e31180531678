"""Moving files that lie where an earlier version of this server put them: `manage.py relay_files`.

It is safe to run again, also after it was broken off: a file that lies at its place is left alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from datasets.models import Replica, StorageElement
from datasets.storage import StorageError, open_storage, path_of


@dataclass(frozen=True, kw_only=True)
class Relayed:
    """How many files of a storage element were moved, lay at their place, or at neither."""

    moved: int
    there: int
    missing: int


def old_path_of(scope: str, lfn: str) -> str:
    """Where a file lay before files lay at Rucio's deterministic path."""
    digest = hashlib.sha256(f"{scope}:{lfn}".encode()).hexdigest()
    return f"{scope}/{digest[:2]}/{digest[2:4]}/{lfn}"


def relay(storage: StorageElement, *, say: Callable[[str], None]) -> Relayed:
    """Move each file of the element that lies at its old path; `say` is told what is at neither.

    StorageError when the element refuses.
    """
    filesystem, root = open_storage(storage.url)
    found = {"moved": 0, "there": 0, "missing": 0}
    replicas = Replica.objects.filter(storage=storage, state=Replica.State.AVAILABLE)
    names = replicas.order_by("pk").values_list("file__scope", "file__lfn")
    for scope, lfn in names.iterator():
        old, new = (f"{root}/{path(scope, lfn)}" for path in (old_path_of, path_of))
        try:
            if filesystem.exists(new):
                found["there"] += 1
            elif filesystem.exists(old):
                filesystem.makedirs(os.path.dirname(new), exist_ok=True)
                filesystem.mv(old, new)
                found["moved"] += 1
            else:
                found["missing"] += 1
                say(f"{storage.name} has no {scope}:{lfn}")
        except OSError as error:
            raise StorageError(f"cannot move {lfn} at {storage.name}: {error}") from error
    return Relayed(**found)
