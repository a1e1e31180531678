"""A site's status moves by an action with a reason, and works from then on."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from brokerage.models import Site
from jobs import assign, dispatch
from jobs.groups import SHIFTERS
from jobs.identity import Caller
from jobs.models import Job
from pandasite.base.models import AuditLine
from tests import builders as make
from tests.admin.pages import act, address, logged_in, staff, text
from tests.builders import NOW

pytestmark = pytest.mark.django_db

FORM = {
    "name": "AGLT2",
    "tier": "2",
    "type": "both",
    "flavour": "OSG",
    "slots": "7",
    "max_core_count": "1",
    "memory_mb": "2000",
    "cpu_speed_mhz": "0",
    "wall_seconds": "0",
    "job_cap": "0",
    "scratch_mb": "0",
    "installed-TOTAL_FORMS": "0",
    "installed-INITIAL_FORMS": "0",
}


def test_fewer_slots_than_running_jobs_are_allowed_and_end_none_of_them() -> None:
    # given
    site = make.create_site("AGLT2", slots=7)
    jobs = [make.create_job("running", site=site) for _ in range(3)]
    root = logged_in(get_user_model().objects.create_superuser("root"))
    form = FORM | {"cloud": str(site.cloud_id), "slots": "1"}
    # when
    answer = root.post(address(site, "change", site.pk), form)
    # then
    assert answer.status_code == 302, text(answer)
    site.refresh_from_db()
    assert site.slots == 1
    for job in jobs:
        job.refresh_from_db()
        assert (job.state, job.command) == ("running", "")


@pytest.fixture
def site() -> Site:
    """A site that brokerage would choose for the job of `a_job`."""
    site = make.create_site("AGLT2", releases=[("Atlas-14.5.0", "x86_64")])
    make.create_pilot(site)
    return site


def a_job() -> Job:
    return make.create_job("defined", atlas_release="Atlas-14.5.0", cmt_config="x86_64")


def claim(site: Site, key: str = "k") -> dispatch.Claimed:
    account = make.create_pilot_account(Site.objects.get(pk=site.pk))
    facts = dispatch.Facts(
        node="wn01",
        pilot_id="p1",
        memory_mb=9000,
        free_disk_mb=9000,
        labels=("managed",),
    )
    return dispatch.claim(caller=Caller.of(account), facts=facts, key=key, body_sha256="b", now=NOW)


def test_the_action_asks_for_a_reason_and_changes_nothing_yet(site: Site, operator: Client) -> None:
    page = act(operator, "set_offline", site)
    site.refresh_from_db()
    assert "AGLT2" in text(page) and 'name="reason"' in page.content.decode()
    assert site.status == "online"


@pytest.mark.parametrize("reason", ["", "   ", "a\nb", "x" * 256])
def test_a_bad_reason_is_an_error_at_the_field(reason: str, site: Site, operator: Client) -> None:
    page = act(operator, "set_offline", site, reason=reason)
    site.refresh_from_db()
    assert page.context["form"].errors.keys() == {"reason"}
    assert site.status == "online" and not AuditLine.objects.exists()


def test_with_a_reason_the_site_is_offline_and_author_reason_and_time_are_kept(
    site: Site, operator: Client
) -> None:
    page = act(operator, "set_offline", site, reason="cooling is out")
    site.refresh_from_db()
    assert (site.status, site.status_by, site.status_reason) == (
        "offline",
        "olga",
        "cooling is out",
    )
    assert site.status_at is not None
    assert "Offline from now on: AGLT2" in text(page)


def test_the_change_has_one_line_in_the_audit_log_and_one_in_the_history(
    site: Site, operator: Client
) -> None:
    act(operator, "set_test", site, reason="new queue")
    line, change = AuditLine.objects.get(), site.status_changes.get()
    assert (line.actor_name, line.action, line.subject) == ("olga", "site_status", "AGLT2")
    assert (line.reason, line.facts) == ("new queue", {"from": "online", "to": "test"})
    assert (change.from_status, change.to_status) == ("online", "test")


def test_several_sites_are_set_at_once(site: Site, operator: Client) -> None:
    other = make.create_site("MWT2")
    act(operator, "set_brokeroff", site, other, reason="network works")
    assert set(Site.objects.values_list("status", flat=True)) == {"brokeroff"}


def test_pilots_of_an_offline_site_get_no_job_and_the_reason(site: Site, operator: Client) -> None:
    make.create_job("activated", site=site)
    act(operator, "set_offline", site, reason="cooling is out")
    answer = claim(site)
    assert (answer.jobs, answer.reason) == ((), "site_offline")
    assert "cooling is out" in answer.message


def test_the_next_brokerage_round_places_nothing_at_an_offline_site(
    site: Site, operator: Client
) -> None:
    job = a_job()
    act(operator, "set_offline", site, reason="cooling is out")
    moved = assign.run(NOW)
    job.refresh_from_db()
    assert (moved, job.state, job.computing_site) == (0, "defined", None)
    assert "cooling is out" in str(job.decision and job.decision.detail)


def test_the_same_job_is_placed_there_once_the_site_is_online_again(
    site: Site, operator: Client
) -> None:
    job = a_job()
    act(operator, "set_offline", site, reason="cooling is out")
    act(operator, "set_online", site, reason="repaired")
    assign.run(NOW)
    job.refresh_from_db()
    assert job.computing_site == site


def test_a_shifter_has_no_such_action(site: Site) -> None:
    page = act(logged_in(staff("sue", group=SHIFTERS)), "set_offline", site, reason="because")
    site.refresh_from_db()
    assert site.status == "online" and page.status_code == 200


def test_the_form_neither_shows_nor_takes_a_status(site: Site) -> None:
    root = logged_in(get_user_model().objects.create_superuser("root"))
    where = address(Site, "change", site.pk)
    form = FORM | {"cloud": str(site.cloud_id), "status": "offline", "status_reason": "sneaked in"}
    page = root.get(where)
    answer = root.post(where, form)
    site.refresh_from_db()
    assert 'name="status"' not in page.content.decode()
    assert (answer.status_code, site.slots) == (302, 7)
    assert (site.status, site.status_reason) == ("online", "")


def test_saving_the_form_does_not_undo_a_status_set_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logged_in(get_user_model().objects.create_superuser("root"))
    saved = Site.save

    def set_before_saving(self: Site, **kwargs: Any) -> None:
        Site.objects.filter(pk=self.pk).update(status="offline", status_reason="meanwhile")
        saved(self, **kwargs)

    monkeypatch.setattr(Site, "save", set_before_saving)
    root.post(address(Site, "change", site.pk), FORM | {"cloud": str(site.cloud_id)})
    site.refresh_from_db()
    assert (site.slots, site.status, site.status_reason) == (7, "offline", "meanwhile")


def test_a_new_site_is_online_whatever_the_form_says() -> None:
    root = logged_in(get_user_model().objects.create_superuser("root"))
    form = FORM | {"name": "NEW", "cloud": str(make.create_cloud().pk), "status": "test"}
    assert root.post(address(Site, "add"), form).status_code == 302
    assert Site.objects.get(name="NEW").status == "online"


def test_a_new_site_begins_with_who_made_it_and_when() -> None:
    root = logged_in(get_user_model().objects.create_superuser("root"))
    root.post(address(Site, "add"), FORM | {"name": "NEW", "cloud": str(make.create_cloud().pk)})
    site = Site.objects.get(name="NEW")
    assert (site.status_by, site.status_reason) == ("root", "created")
    change = site.status_changes.get()
    assert (change.from_status, change.to_status, change.reason) == ("", "online", "created")
    assert (change.author, change.at) == ("root", site.status_at)
