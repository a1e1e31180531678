"""A DDM elsewhere that brings the input of jobs, and tells of it by signed callbacks."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction

from brokerage.models import Site
from datasets.ddm import signing
from datasets.models import StorageElement
from pandasite.base.clock import database_now
from tests.builders import create_file, create_job, create_transfer
from tests.faults.asking import Asker
from tests.faults.books import Books
from tests.faults.grid import SCOPE, Place
from tests.faults.site import DDM_SECRET, DDM_SENDER

CALLBACKS = "/rest/v1/ddm/callbacks"
News = dict[str, Any]


class Teller(Asker):
    """Signs what it says."""

    def _send(
        self, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any], str]:
        signed = signing.signed(
            DDM_SECRET, sender=DDM_SENDER, time=int(time.time()), body=content or b""
        )
        return super()._send(path, content, {**headers, **signed})


def awaited(books: Books, place: Place, number: int) -> tuple[list[int], list[News]]:
    """So many jobs that wait for a file each; and what will be said when these have come."""
    panda_ids, news = [], []
    with books.site.books(), transaction.atomic():
        site, now = Site.objects.get(pk=place.pk), database_now()
        here = StorageElement.objects.get(name=f"{place.name}_DISK")
        for nr in range(number):
            file = create_file(f"IN.{place.name}._{nr:06d}.root", scope=SCOPE)
            job = create_job("assigned", site=site, inputs=[file], at=now)
            # nobody here tries to bring it meanwhile
            create_transfer(
                file, here, created_at=now, next_try_at=now + dt.timedelta(hours=1), carrier="ddm"
            )
            panda_ids.append(job.pk)
            known = {"scope": SCOPE, "lfn": file.lfn, "size": file.size, "adler32": file.adler32}
            arrived = {"id": f"{place.name}.{nr}", "kind": "file_arrived", "storage": here.name}
            news.append(arrived | known)
    return panda_ids, news


def teller(books: Books, news: Sequence[News]) -> Callable[[], None]:
    """Says these things, each in a call of its own."""

    def tell() -> None:
        asker = Teller(books.site.url, "", books.history)
        for one in news:
            asker.insist("callback", CALLBACKS, {"news": [one]}, key=one["id"])
        asker.close()

    return tell
