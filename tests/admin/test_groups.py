"""The three groups of every installation."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission

from jobs.groups import OPERATORS, PRODUCTION_MANAGERS, SHIFTERS, sync_groups
from tests.admin.pages import staff

pytestmark = pytest.mark.django_db


MENDING = {
    "view_taskrequest", "view_jobdefinition", "view_statechange", "change_taskrequest",
    "change_jobdefinition",
}  # fmt: skip


def test_production_managers_submit_production_and_mend_prod_db_and_nothing_else() -> None:
    assert staff("p", group=PRODUCTION_MANAGERS).get_all_permissions() == {
        "jobs.submit_production",
        "jobs.add_tag",
        "jobs.delete_tag",
        *(f"proddb.{name}" for name in MENDING),
    }


def test_shifters_may_look_at_all_of_ours_only() -> None:
    allowed = staff("s", group=SHIFTERS).get_all_permissions()
    assert {"jobs.view_job", "base.view_auditline", "datasets.view_transfer"} <= allowed
    assert all(name.split(".")[1].startswith("view_") for name in allowed)
    assert not any(name.startswith(("auth.", "knox.")) for name in allowed)


def test_operators_may_set_sites_and_kill_but_not_edit_sites() -> None:
    allowed = staff("o", group=OPERATORS).get_all_permissions()
    assert {"brokerage.set_site_status", "brokerage.set_cloud_status"} <= allowed
    assert {"jobs.kill_any_job", "jobs.view_job"} <= allowed
    assert not {"brokerage.change_site", "brokerage.delete_site", "jobs.change_job"} & allowed


def test_a_second_time_adds_what_is_missing_and_takes_nothing_away() -> None:
    group = Group.objects.get(name=PRODUCTION_MANAGERS)
    group.permissions.set(Permission.objects.filter(codename="add_site"))
    sync_groups()
    names = set(group.permissions.values_list("codename", flat=True))
    assert names == {"add_site", "submit_production", "add_tag", "delete_tag", *MENDING}
    assert Group.objects.filter(name=PRODUCTION_MANAGERS).count() == 1
