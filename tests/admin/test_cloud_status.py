"""A cloud's status moves by an action with a reason, like a site's."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from brokerage.models import Cloud
from brokerage.services import set_cloud_status
from jobs import assign
from jobs.groups import SHIFTERS
from pandasite.base.errors import BadInput
from pandasite.base.models import AuditLine
from tests import builders as make
from tests.admin.pages import act, address, logged_in, staff, text
from tests.builders import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def cloud() -> Cloud:
    return make.create_cloud("FR")


def test_the_action_asks_for_a_reason_and_changes_nothing_yet(
    cloud: Cloud, operator: Client
) -> None:
    page = act(operator, "set_offline", cloud)
    cloud.refresh_from_db()
    assert 'name="reason"' in page.content.decode()
    assert cloud.status == "online"


def test_with_a_reason_the_cloud_is_offline_and_author_reason_and_time_are_kept(
    cloud: Cloud, operator: Client
) -> None:
    page = act(operator, "set_offline", cloud, reason="tape library moves")
    cloud.refresh_from_db()
    assert (cloud.status, cloud.status_by, cloud.status_reason) == (
        "offline",
        "olga",
        "tape library moves",
    )
    assert cloud.status_at is not None
    assert "Offline from now on: FR" in text(page)


def test_the_change_has_one_line_in_the_audit_log(cloud: Cloud, operator: Client) -> None:
    act(operator, "set_offline", cloud, reason="tape library moves")
    line = AuditLine.objects.get()
    assert (line.actor_name, line.action, line.subject) == ("olga", "cloud_status", "FR")
    assert (line.reason, line.facts) == ("tape library moves", {"from": "online", "to": "offline"})


def test_production_is_brokered_there_again_once_the_cloud_is_online(
    cloud: Cloud, operator: Client
) -> None:
    site = make.manned_site(cloud=cloud)
    job = make.create_job("defined")
    act(operator, "set_offline", cloud, reason="tape library moves")
    assert assign.run(NOW) == 0
    act(operator, "set_online", cloud, reason="moved")
    assign.run(make.after(minutes=1))
    job.refresh_from_db()
    assert job.computing_site == site


def test_a_shifter_has_no_such_action(cloud: Cloud) -> None:
    act(logged_in(staff("sue", group=SHIFTERS)), "set_offline", cloud, reason="because")
    cloud.refresh_from_db()
    assert cloud.status == "online"


def test_the_form_neither_shows_nor_takes_a_status(cloud: Cloud, root: Client) -> None:
    where = address(Cloud, "change", cloud.pk)
    form = {
        "name": "FR",
        "weight": "3",
        "mc_share": "1",
        "status": "offline",
        "status_reason": "sneaked in",
    }
    page = root.get(where)
    answer = root.post(where, form)
    cloud.refresh_from_db()
    assert 'name="status"' not in page.content.decode()
    assert (answer.status_code, cloud.weight) == (302, 3)
    assert (cloud.status, cloud.status_reason) == ("online", "")


def test_saving_the_form_does_not_undo_a_status_set_meanwhile(
    cloud: Cloud, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Cloud.save

    def set_before_saving(self: Cloud, **kwargs: Any) -> None:
        Cloud.objects.filter(pk=self.pk).update(status="offline", status_reason="meanwhile")
        saved(self, **kwargs)

    monkeypatch.setattr(Cloud, "save", set_before_saving)
    root.post(address(Cloud, "change", cloud.pk), {"name": "FR", "weight": "3", "mc_share": "1"})
    cloud.refresh_from_db()
    assert (cloud.weight, cloud.status, cloud.status_reason) == (3, "offline", "meanwhile")


@pytest.mark.parametrize(("status", "reason"), [("offline", " "), ("brokeroff", "because")])
def test_the_verb_refuses_no_reason_and_statuses_of_sites(
    cloud: Cloud, status: str, reason: str
) -> None:
    with pytest.raises(BadInput):
        set_cloud_status(cloud, status, author="olga", reason=reason, now=NOW)
