"""The page of a file: what it is, where it is, how it got there, and what it is part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from datasets.browsing import BLOCKS
from datasets.models import Dataset, File, Replica, Transfer
from monitor.catalogue import preview
from monitor.catalogue.users import Use, used_by
from pandasite.base.errors import NotThere

TRANSFERS_SHOWN = 50
DATASETS_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class FilePage:
    """A file; `cut` names what is longer than is shown."""

    file: File
    replicas: Sequence[Replica]
    transfers: Sequence[Transfer]
    datasets: Sequence[Dataset]
    uses: Sequence[Use]
    cut: Sequence[str]
    preview: str  # image, histogram or ''

    @property
    def preview_url(self) -> str:
        """The picture, or the numbers of the histograms."""
        if not self.preview:
            return ""
        return reverse(f"monitor:file_{self.preview}", args=[self.file.scope, self.file.lfn])

    def as_json(self) -> dict[str, Any]:
        """The facts; size in bytes."""
        names = ("scope", "lfn", "guid", "size", "adler32", "events", "created_at")
        return {
            **{name: getattr(self.file, name) for name in names},
            "replicas": [
                {
                    "storage": one.storage.name,
                    "state": one.state,
                    "reason": one.reason,
                    "since": one.created_at,
                }
                for one in self.replicas
            ],
            "transfers": [_transfer_json(one) for one in self.transfers],
            "datasets": [one.name for one in self.datasets],
            "jobs": [one.as_json() for one in self.uses],
            "cut": [*self.cut],
        }


def _transfer_json(one: Transfer) -> dict[str, Any]:
    names = (
        "state", "activity", "attempts", "reason", "error", "bytes_moved", "created_at",
        "started_at", "ended_at",
    )  # fmt: skip
    return {
        "source": one.source.name if one.source else None,
        "destination": one.destination.name,
        **{name: getattr(one, name) for name in names},
    }


def find(scope: str, lfn: str) -> File:
    """The file; NotThere when there is none."""
    found = File.objects.filter(scope=scope, lfn=lfn).first()
    if found is None:
        raise NotThere(f"there is no file {scope[:64]}:{lfn[:80]}")
    return found


def read(scope: str, lfn: str) -> FilePage:
    """A file with all that is known of it."""
    file = find(scope, lfn)
    moves = file.transfers.select_related("source", "destination").order_by("-pk")
    transfers = list(moves[: TRANSFERS_SHOWN + 1])
    datasets = list(
        Dataset.objects.filter(members__file=file).order_by("-pk")[: DATASETS_SHOWN + 1]
    )
    uses, more = used_by([(scope, lfn)])
    lengths = {
        "transfers": len(transfers) > TRANSFERS_SHOWN,
        "datasets": len(datasets) > DATASETS_SHOWN,
        "jobs": more,
    }
    shown = preview.kind_of(file.lfn, file.size)
    return FilePage(
        file=file,
        replicas=list(file.replicas.select_related("storage").order_by("storage__name")),
        transfers=transfers[:TRANSFERS_SHOWN],
        datasets=sorted(datasets[:DATASETS_SHOWN], key=lambda one: one.type in BLOCKS),
        uses=uses,
        cut=[name for name, is_cut in lengths.items() if is_cut],
        preview=shown if shown and preview.holders(file) else "",
    )
