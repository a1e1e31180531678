"""What may be done from the dataset browser: ask for datasets."""

from __future__ import annotations

from django.urls import reverse

from monitor.catalogue import requestform, requests
from monitor.errors.acting import Done, Order, action
from monitor.words import plural


@action(requests.PERMISSION, fields=("datasets", "vo", "storage"), again=requestform.again)
def send(order: Order) -> Done:
    """Have datasets brought to a storage element."""
    names = requests.names_of(order.params.text("datasets", longest=6000))
    asked = requests.ask(
        requests.Order(
            names=names,
            storage=order.params.text("storage", longest=64),
            vo=order.params.text("vo", longest=32),
            user=order.user,
            reason=order.reason,
            now=order.now,
        )
    )
    storage = order.params.text("storage")
    return Done(
        title=f"Asked for {plural(len(asked), 'dataset')} at {storage}",
        lines=[
            (f"{dataset.name}: {wish.state}", reverse("monitor:dataset", args=[dataset.name]))
            for dataset, wish in asked
        ],
    )
