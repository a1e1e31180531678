"""Asking for datasets at a storage element, and the list of what was asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.urls import reverse

from brokerage.models import VO
from datasets.models import GB, Dataset, StorageElement, Subscription
from datasets.subscriptions import Terms, refusal, subscribe_all
from monitor import columns, lists
from monitor.catalogue.models import DataRequest
from monitor.catalogue.wishes import Wish, described
from monitor.lists import Field, chosen
from monitor.params import Params
from monitor.sheets import Sheet, column
from pandasite.base import audit
from pandasite.base.errors import BadInput, Conflict, field_error

PERMISSION = "datasets.add_subscription"
ACTIVITY = "requests"
MOST = 20  # datasets of one request
FILES = 20_000  # of one dataset: more are asked for by the command line
SHOWN, TOLD = 50, 1000


@dataclass(frozen=True, kw_only=True)
class Order:
    """Who asks for which datasets, where, and why."""

    names: Sequence[str]
    storage: str
    user: Any
    reason: str
    vo: str = ""
    now: dt.datetime


def names_of(text: str) -> list[str]:
    """Names, a line each. BadInput when there is none, or there are more than MOST."""
    names = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not 1 <= len(names) <= MOST:
        raise _bad("datasets", f"datasets must be 1 to {MOST} names, a line each, not {len(names)}")
    return names


def ask(order: Order) -> list[tuple[Dataset, Subscription]]:
    """Subscribe all of the datasets, or none: BadInput names what is wrong with which."""
    storage = StorageElement.objects.filter(name=order.storage).first()
    if storage is None:
        raise _bad("storage", f"there is no storage element {order.storage[:64]}")
    found = {one.name: one for one in Dataset.objects.filter(name__in=order.names)}
    for name in order.names:
        if fault := _fault(found.get(name), name):
            raise _bad("datasets", fault)
    datasets = [found[name] for name in order.names]
    _room(storage, datasets)
    if order.vo and not VO.objects.filter(name=order.vo).exists():
        raise _bad("vo", f"there is no VO {order.vo}")
    with transaction.atomic():
        return _all(datasets, storage, order)


def _fault(dataset: Dataset | None, name: str) -> str:
    if dataset is None:
        return f"there is no dataset {name[:80]}"
    if why := refusal(dataset):
        return why
    if dataset.n_files > FILES:
        return f"{name} has {dataset.n_files:,} files, at most {FILES:,} are asked for at once"
    return ""


def _room(storage: StorageElement, datasets: Sequence[Dataset]) -> None:
    """Conflict when it cannot hold them; what is there already is counted as if it were not."""
    asked = sum(one.n_bytes for one in datasets)
    if storage.free_bytes is not None and asked > storage.free_bytes:
        raise Conflict(
            f"{storage.name} has {storage.free_bytes / GB:,.1f} GB free, the datasets have"
            f" {asked / GB:,.1f} GB"
        )


def _all(
    datasets: Sequence[Dataset], storage: StorageElement, order: Order
) -> list[tuple[Dataset, Subscription]]:
    name = order.user.get_username()
    terms = Terms(owner=name, vo=order.vo)
    made = subscribe_all(datasets, storage, activity=ACTIVITY, now=order.now, terms=terms)
    asked = list(zip(datasets, made, strict=True))
    DataRequest.objects.bulk_create(
        DataRequest(
            dataset=dataset,
            storage=storage,
            subscription=wish,
            user=order.user,
            user_name=name,
            reason=order.reason,
            created_at=order.now,
        )
        for dataset, wish in asked
    )
    facts = {"storage": storage.name, "vo": order.vo}
    audit.record_all(
        actor=order.user,
        action="ddm_request",
        subjects={dataset.name: facts | {"state": wish.state} for dataset, wish in asked},
        reason=order.reason,
        now=order.now,
    )
    return asked


def _bad(field: str, words: str) -> BadInput:
    return BadInput(words, code="bad_value", fields=[field_error(field, words)])


@dataclass(frozen=True, kw_only=True)
class Line:
    """A request, and how far it is."""

    request: DataRequest
    wish: Wish | None

    dataset = property(lambda self: self.request.dataset.name)
    storage = property(lambda self: self.request.storage.name)
    user = property(lambda self: self.request.user_name)
    reason = property(lambda self: self.request.reason)
    created_at = property(lambda self: self.request.created_at)
    vo = property(lambda self: self.wish.wish.vo if self.wish else "")
    state = property(lambda self: self.wish.state if self.wish else "gone")
    ready = property(lambda self: self.wish.ready if self.wish else 0)
    files = property(lambda self: self.wish.files if self.wish else 0)
    eta = property(lambda self: self.wish.eta if self.wish else None)
    why = property(lambda self: self.wish.why if self.wish else "its subscription is gone")

    @property
    def url(self) -> str:
        """The page of the dataset."""
        return reverse("monitor:dataset", args=[self.request.dataset.name])


class RequestSheet(Sheet):
    """Requests, the newest first."""

    dataset = columns.link("Dataset", "its page", url=lambda record: record.url, look="wrap")
    storage = column("To", "the storage element where it is wanted")
    vo = column("VO", "whose data management brings it; that of who asked for it first")
    user = column("Asked by", "who")
    reason = column("Reason", "why", look="wrap")
    created_at = columns.time("Asked (UTC)", "when")
    state = column("State", "open, done (all is there), given_up (nobody waits for the rest)")
    ready = columns.number("Ready", "files that are there")
    files = columns.number("Files", "of the dataset")
    eta = columns.time("Expected (UTC)", "when it should be there; see Subscriptions")
    why = column("Why not done", "what it waits for, or why it was given up", look="wrap")

    class Meta(Sheet.Meta):
        empty_text = "Nobody has asked for anything yet."
        orderable = False


def read(params: Params, *, now: dt.datetime) -> tuple[list[Line], int | None]:
    """The requests that the address asks for, and the key that the next ones are behind."""
    rows = DataRequest.objects.select_related("dataset", "storage")
    if storage := chosen(params, "storage", StorageElement):
        rows = rows.filter(storage=storage)
    if user := lists.account(params, "user", known=_has_asked):
        rows = rows.filter(user_name=user)
    if key := params.number("before", low=1, high=2**63 - 1):
        rows = rows.filter(pk__lt=key)
    most = SHOWN if params.values.get("format", "html") == "html" else TOLD
    found = list(rows.order_by("-pk")[: most + 1])
    shown = found[:most]
    keys = [one.subscription_id for one in shown if one.subscription_id]
    wanted = Subscription.objects.filter(pk__in=keys).select_related("dataset", "storage")
    wishes = {wish.wish.pk: wish for wish in described(list(wanted), now=now)}
    lines = [Line(request=one, wish=wishes.get(one.subscription_id or 0)) for one in shown]
    return lines, shown[-1].pk if len(found) > most else None


def _has_asked(user: str) -> bool:
    return DataRequest.objects.filter(user_name=user).exists()


def fields(params: Params) -> list[Field]:
    """The filters of the form."""
    given = params.text
    return [
        Field(
            name="storage", title="To", value=given("storage"), known=lists.names(StorageElement)
        ),
        Field(name="user", title="Asked by", value=given("user")),
    ]
