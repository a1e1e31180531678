"""Whether tasks know their parents, and are none of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from jobs.models import BambooTask
from jobs.proddb import door
from jobs.proddb.door import Request

DEPTH = 50  # generations that are looked at


def faults_of_parents(page: Sequence[Request]) -> Iterator[tuple[int, str]]:
    """By number: a parent that is not there, or was refused, or is a descendant."""
    if not any(request.parent_id for request in page):
        return
    known = _ancestors(page)
    numbers = {request.parent_id for request in page if request.parent_id}
    taken = set(BambooTask.objects.filter(pk__in=numbers).values_list("pk", flat=True))
    for request in page:
        if request.parent_id:
            reason = _fault(request, known, taken)
            if reason is not None:
                yield request.request_id, reason


def behind_their_parents(page: Sequence[Request]) -> set[int]:
    """Those whose parents are still to be taken, in a later page: they wait for them."""
    above = {request.parent_id for request in page if request.parent_id}
    above -= {request.request_id for request in page}
    above -= set(BambooTask.objects.filter(pk__in=above).values_list("pk", flat=True))
    found = door.requests(above) if above else []
    late = {request.request_id for request in found if request.state == door.ProdState.TOBEDONE}
    waiting: set[int] = set()
    while late:
        late = {request.request_id for request in page if request.parent_id in late} - waiting
        waiting |= late
    return waiting


def _fault(request: Request, known: dict[int, Request], taken: set[int]) -> str | None:
    way = [request.request_id]
    while (parent := known[way[-1]].parent_id if way[-1] in known else None) is not None:
        if parent in way:
            circle = " > ".join(str(number) for number in [*way[way.index(parent) :], parent])
            return f"parent_id: the parents go in a circle: {circle}"
        way.append(parent)
        if len(way) > DEPTH:
            return f"parent_id: it has more than {DEPTH} generations of parents"
    parent_id = request.parent_id or 0
    if parent_id not in known and parent_id not in taken:
        return f"parent_id: there is no request {parent_id}"
    dead = (door.ProdState.REFUSED, door.ProdState.ABORTED)
    if parent_id in known and known[parent_id].state in dead:
        return f"parent_id: request {parent_id} is {known[parent_id].state}"
    return None


def _ancestors(page: Iterable[Request]) -> dict[int, Request]:
    """The requests of the page and all above them, a query for each generation."""
    known = {request.request_id: request for request in page}
    for _generation in range(DEPTH):
        parents = {request.parent_id for request in known.values() if request.parent_id}
        missing = parents - known.keys()
        found = door.requests(missing) if missing else []
        if not found:
            break
        known |= {request.request_id: request for request in found}
    return known
