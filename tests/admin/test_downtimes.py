"""Downtimes are announced by whom may, and the audit log says by whom."""

from __future__ import annotations

import pytest

from brokerage.models import Downtime
from jobs.groups import OPERATORS, SHIFTERS
from pandasite.base.models import AuditLine
from tests.admin.pages import address, logged_in, staff, text
from tests.builders import create_site

pytestmark = pytest.mark.django_db


def form(site_id: int, **fields: str) -> dict[str, str | int]:
    return {
        "site": site_id, "start_0": "2026-11-27", "start_1": "10:00", "end_0": "2026-11-27",
        "end_1": "18:00", "severity": "outage", "description": "new cooling", "link": "",
    } | fields  # fmt: skip


def test_an_operator_announces_a_downtime_and_withdraws_it() -> None:
    site, client = create_site("AGLT2"), logged_in(staff("olga", group=OPERATORS))

    client.post(address(Downtime, "add"), form(site.pk))
    downtime = Downtime.objects.get()
    client.post(address(Downtime, "delete", downtime.pk), {"post": "yes"})

    assert (downtime.author, downtime.description) == ("olga", "new cooling")
    lines = AuditLine.objects.order_by("at", "pk").values_list("actor_name", "action", "reason")
    assert list(lines) == [
        ("olga", "downtime_announced", "new cooling"),
        ("olga", "downtime_withdrawn", "new cooling"),
    ]
    assert not Downtime.objects.exists()


def test_a_downtime_that_ends_before_its_start_is_refused() -> None:
    site, client = create_site(), logged_in(staff("olga", group=OPERATORS))

    answer = client.post(address(Downtime, "add"), form(site.pk, end_1="09:00"))

    assert "must be later than the start, 2026-11-27 10:00 UTC" in text(answer)
    assert not Downtime.objects.exists()


def test_a_link_that_runs_a_script_is_refused() -> None:
    site, client = create_site(), logged_in(staff("olga", group=OPERATORS))

    client.post(address(Downtime, "add"), form(site.pk, link="javascript:alert(1)"))

    assert not Downtime.objects.exists()


def test_a_shifter_only_looks() -> None:
    site, client = create_site(), logged_in(staff("sam", group=SHIFTERS))

    assert client.post(address(Downtime, "add"), form(site.pk)).status_code == 403
