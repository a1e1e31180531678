"""What the shift's list says of transfers. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from urllib.parse import urlencode

from django.urls import reverse

from monitor.attention import Item
from monitor.ddm.lately import FAIR, FEW_TRIES, GOOD, HOURS, Lately
from monitor.words import ago, plural


def inefficient(lately: Lately) -> Iterator[Item]:
    """Too many tries fail."""
    part = lately.efficiency
    if part is None or part >= GOOD or lately.done + lately.tries < FEW_TRIES:
        return
    where = f"{lately.worst_tries:,} of the {lately.tries:,} that failed were to"
    why = f"; most were given up because of: {lately.reason}" if lately.reason else ""
    yield Item(
        level="alert" if part < FAIR else "warning",
        subject="DDM",
        text=f"{int(part)} % of the tries to move a file in {HOURS} h went well",
        reason=f"{where} {lately.worst}{why}",
        step="follow the red cells to a link and its errors; tell the site whose storage it is",
        url=f"{reverse('monitor:ddm')}?{urlencode({'window': f'{HOURS}h'})}",
    )


def stuck(lately: Lately, *, now: dt.datetime) -> Iterator[Item]:
    """Transfers that nothing has moved for a day, by storage element."""
    for one in lately.stuck:
        query = urlencode({"destination": f"storage:{one.storage}"})
        oldest = ago((now - one.oldest).total_seconds())
        said = f"; a try failed with: {one.reason}" if one.reason else "; none was tried"
        yield Item(
            level="warning",
            subject=one.storage,
            text=f"{plural(one.n, 'transfer')} to {one.storage} wait for more than a day",
            reason=f"the oldest for {oldest}{said}",
            step="the list tells what each waits for; see whether the storage answers",
            url=f"{reverse('monitor:ddm_stuck')}?{query}",
        )
