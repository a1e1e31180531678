"""Who writes to many rows locks them in the order of their keys, wherever they lie on the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, models, transaction

from brokerage.models import Cloud
from datasets import services as data
from datasets.models import Transfer
from jobs import services
from jobs.models import Job, Pulse
from pandasite.base import inorder
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_file,
    create_job,
    create_storage,
    create_transfer,
)
from tests.jobs.waiting import until_it_waits

pytestmark = pytest.mark.django_db(transaction=True)
Writing = Callable[[], object]
Given = Callable[[], tuple[models.QuerySet[Any], Writing]]


def clouds() -> tuple[models.QuerySet[Cloud], Writing]:
    """Updated by a plain column."""
    create_cloud("FR"), create_cloud("US")
    return Cloud.objects.all(), lambda: inorder.update(Cloud.objects.all(), status_reason="b")


def killed_jobs() -> tuple[models.QuerySet[Pulse], Writing]:
    """A command to the pilots, which a trigger writes into the pulses as well."""
    create_job("running"), create_job("running")
    return Pulse.objects.all(), lambda: services.order_end(Job.objects.all(), reason="r", now=NOW)


def abandoned_transfers() -> tuple[models.QuerySet[Transfer], Writing]:
    """Whose worker is gone."""
    to = create_storage()
    for name in ("E1", "E2"):
        create_transfer(create_file(name), to, state="copying", attempts=1, lease_until=NOW)
    return Transfer.objects.all(), lambda: data.release_abandoned(now=after(hours=1))


@pytest.mark.parametrize("given", [clouds, killed_jobs, abandoned_transfers])
def test_who_waits_for_the_first_row_holds_no_later_one(
    given: Callable[[], tuple[Any, Writing]],
) -> None:
    # given: the first row lies behind the others
    rows, write = given()
    first, last = rows.order_by("pk").first(), rows.order_by("pk").last()
    assert first != last
    with connection.cursor() as cursor:
        table, key = rows.model._meta.db_table, rows.model._meta.pk.column
        cursor.execute(f"UPDATE {table} SET {key} = {key} WHERE {key} = %s", [first.pk])

    def by_another() -> None:
        try:
            write()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other:
        # when
        with transaction.atomic():
            rows.select_for_update().get(pk=first.pk)
            writing = other.submit(by_another)
            until_it_waits(writing)
            # then
            rows.select_for_update(nowait=True).get(pk=last.pk)
        writing.result(timeout=60)
