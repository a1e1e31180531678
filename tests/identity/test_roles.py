"""Site admins act at their own sites and nowhere else; readers change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from brokerage.bans import ban_node
from brokerage.models import BannedNode, Downtime, Site
from jobs.groups import ADMINS, OPERATORS, READERS, SHIFTERS, SITE_ADMINS
from jobs.models import AnyJob, Job, PilotAccount
from monitor import jobacts
from pandasite.base.models import AuditLine
from pandasite.base.rights import SOMEWHERE
from pandasite.identity.models import Identity, OwnSite
from tests import builders as make
from tests.admin.pages import act, address, logged_in, text
from tests.builders import NOW
from tests.identity.people import browser_of, header_of, staff_with_role, with_role

pytestmark = pytest.mark.django_db

STATUS = "brokerage.set_site_status"
WINDOW = {"start_0": "2026-11-27", "start_1": "10:00", "end_0": "2026-11-27", "end_1": "18:00"}


@pytest.fixture
def own() -> Site:
    return make.create_site("OWN")


@pytest.fixture
def foreign() -> Site:
    return make.create_site("FOREIGN")


@pytest.fixture
def sam(own: Site, foreign: Site) -> Any:
    """The admin of one site of two."""
    return staff_with_role(SITE_ADMINS, own=(own,))


def announced(site: Site) -> Downtime:
    return Downtime.objects.create(
        site=site, start=NOW, end=make.after(hours=1), description="cooling"
    )


# -- what is asked of the backend ------------------------------------------------------------------


def test_a_right_of_a_site_admin_counts_at_own_sites_only(
    sam: Any, own: Site, foreign: Site
) -> None:
    here, there = make.create_job("activated", site=own), make.create_job("activated", site=foreign)
    asked = {thing: sam.has_perm(STATUS, thing) for thing in (own, foreign, here, there)}
    assert asked == {own: True, foreign: False, here: True, there: False}
    assert sam.has_perm(STATUS, SOMEWHERE)
    assert not sam.has_perm(STATUS)
    assert not sam.has_perm("brokerage.set_cloud_status", own)


def test_a_job_without_a_site_is_nobodys_own(sam: Any) -> None:
    assert not sam.has_perm("jobs.kill_any_job", make.create_job("defined"))


def test_a_site_admin_without_a_site_has_no_such_right(own: Site) -> None:
    user = with_role(SITE_ADMINS)
    assert not user.has_perm(STATUS, own)
    assert not user.has_perm(STATUS, SOMEWHERE)


def test_a_site_alone_gives_no_right(own: Site) -> None:
    user = with_role(SHIFTERS, own=(own,))
    assert not user.has_perm(STATUS, own)


def test_a_site_admin_who_was_banned_has_no_right(sam: Any, own: Site) -> None:
    sam.is_active = False
    assert not sam.has_perm(STATUS, own)


def test_an_operator_has_the_right_at_every_site(own: Site, foreign: Site) -> None:
    olga = with_role(OPERATORS, "olga")
    assert olga.has_perm(STATUS, own) and olga.has_perm(STATUS, foreign)


def test_a_site_admin_sees_everything_of_ours(sam: Any) -> None:
    assert sam.has_perm("jobs.view_job") and sam.has_perm("base.view_auditline")


def test_a_role_that_a_token_gives_counts_for_that_request(own: Site) -> None:
    user = make.create_user("carol")
    user.roles_of_token = [OPERATORS]
    assert user.has_perm(STATUS, own)
    assert not type(user).objects.get(pk=user.pk).has_perm(STATUS, own)


def test_admins_have_everything_of_ours_and_no_users() -> None:
    allowed = with_role(ADMINS, "ada").get_all_permissions()
    assert {"brokerage.change_site", "identity.add_ownsite", "knox.delete_authtoken"} <= allowed
    assert not any(name.startswith("auth.") for name in allowed)


@pytest.mark.parametrize("role", [READERS, SHIFTERS, OPERATORS, SITE_ADMINS])
def test_who_is_who_is_changed_by_admins_only(role: str) -> None:
    client = logged_in(staff_with_role(role))
    assert client.get(address(Identity, "changelist")).status_code == 403
    assert client.get(address(OwnSite, "add")).status_code == 403


# -- each act ------------------------------------------------------------------------------------


def test_a_site_admin_sets_the_own_site_offline_in_the_admin_and_no_other(
    sam: Any, own: Site, foreign: Site
) -> None:
    page = act(logged_in(sam), "set_offline", own, foreign, reason="power cut")
    assert "FOREIGN: it is not among your own sites" in text(page)
    assert dict(Site.objects.values_list("name", "status")) == {
        "OWN": "offline",
        "FOREIGN": "online",
    }


@pytest.mark.parametrize(("name", "status"), [("OWN", 200), ("FOREIGN", 403)])
def test_a_site_admin_takes_the_own_site_out_on_the_page_of_errors(
    name: str, status: int, sam: Any
) -> None:
    form = {"site": name, "status": "offline", "reason": "power cut"}
    answer = browser_of(sam).post("/errors/site-status/", form)
    assert answer.status_code == status
    assert Site.objects.filter(status="offline").exists() == (status == 200)


@pytest.mark.parametrize(("name", "status"), [("OWN", 200), ("FOREIGN", 403)])
def test_a_site_admin_bans_and_frees_nodes_of_the_own_site(
    name: str, status: int, sam: Any
) -> None:
    client, form = browser_of(sam), {"site": name, "node": "wn1", "reason": "disk"}
    assert client.post("/nodes/ban/", form | {"hours": "24"}).status_code == status
    assert BannedNode.objects.exists() == (status == 200)
    site = Site.objects.get(name=name)
    ban_node(site, "wn2", user=make.create_user("olga"), reason="disk", now=NOW, until=None)
    assert client.post("/nodes/unban/", form | {"node": "wn2"}).status_code == status
    assert BannedNode.objects.filter(node="wn2").exists() == (status != 200)


def test_the_buttons_of_a_node_are_for_who_may_press_them(sam: Any, own: Site) -> None:
    client = browser_of(sam)
    make.create_pilot(own, node="wn1")
    make.create_pilot(Site.objects.get(name="FOREIGN"), node="wn1")
    pages = {s: client.get(f"/nodes/{s}/wn1/").content.decode() for s in ("OWN", "FOREIGN")}
    assert {name: "Ban the node" in page for name, page in pages.items()} == {
        "OWN": True,
        "FOREIGN": False,
    }


@pytest.mark.parametrize(("at", "status"), [("OWN", 200), ("FOREIGN", 404)])
def test_a_site_admin_kills_jobs_at_the_own_site_over_rest(at: str, status: int, sam: Any) -> None:
    job = make.create_job("activated", site=Site.objects.get(name=at))
    body = {"panda_ids": [job.pk], "reason": "power cut"}
    answer = Client().post(
        "/rest/v1/jobs/kill", body, content_type="application/json", headers=header_of(sam)
    )
    assert answer.status_code == status
    assert (Job.objects.get().state == "cancelled") == (status == 200)


def test_a_site_admin_kills_jobs_at_the_own_site_on_the_pages(
    sam: Any, own: Site, foreign: Site
) -> None:
    jobs = [make.create_job("activated", site=site) for site in (own, foreign)]
    order = jobacts.Order(user=sam, reason="power cut", now=NOW)
    lines = jobacts.carry_out("kill", [job.pk for job in jobs], order)
    assert [line.ok for line in lines] == [True, False]
    assert lines[1].words.endswith("needs the right jobs.kill_any_job")


def test_a_site_admin_kills_jobs_at_the_own_site_in_the_admin(
    sam: Any, own: Site, foreign: Site
) -> None:
    jobs = [make.create_job("activated", site=site) for site in (own, foreign)]
    rows = AnyJob.objects.filter(pk__in=[job.pk for job in jobs]).order_by("pk")
    act(logged_in(sam), "kill", *rows, reason="power cut")
    assert [*Job.objects.order_by("pk").values_list("state", flat=True)] == [
        "cancelled",
        "activated",
    ]


def test_a_site_admin_tries_jobs_of_the_own_site_again(sam: Any, own: Site, foreign: Site) -> None:
    jobs = [make.create_job("failed", site=site) for site in (own, foreign)]
    form = {"jobs": ",".join(str(job.pk) for job in jobs), "reason": "mended", "about": "x"}
    page = browser_of(sam).post("/errors/retry/", form)
    assert page.status_code == 200
    assert list(AnyJob.objects.exclude(retry_of=None).values_list("retry_of", flat=True)) == [
        jobs[0].pk
    ]
    assert f"job {jobs[1].pk}: it is not at a site of yours" in text(page)


def test_a_site_admin_issues_pilot_tokens_of_the_own_site_only(
    sam: Any, own: Site, foreign: Site
) -> None:
    client, form = logged_in(sam), {"days": "4", "reason": "new factory"}
    refused = client.post(address(PilotAccount, "issue"), form | {"site": foreign.pk})
    made = client.post(address(PilotAccount, "issue"), form | {"site": own.pk})
    assert refused.context["form"].errors.keys() == {"site"}
    assert made.context["token"]
    assert list(PilotAccount.objects.values_list("site", flat=True)) == [own.pk]


def test_a_site_admin_announces_downtimes_of_the_own_site_only(
    sam: Any, own: Site, foreign: Site
) -> None:
    client, form = logged_in(sam), WINDOW | {"severity": "outage", "description": "x", "link": ""}
    client.post(address(Downtime, "add"), form | {"site": foreign.pk})
    assert not Downtime.objects.exists()
    client.post(address(Downtime, "add"), form | {"site": own.pk})
    assert Downtime.objects.get().site == own
    client.post(address(Downtime, "change", Downtime.objects.get().pk), form | {"site": foreign.pk})
    assert Downtime.objects.get().site == own


def test_a_site_admin_withdraws_no_downtime_of_another_site(
    sam: Any, own: Site, foreign: Site
) -> None:
    mine, other = announced(own), announced(foreign)
    client = logged_in(sam)
    assert client.post(address(Downtime, "delete", other.pk), {"post": "yes"}).status_code == 403
    both = {"action": "delete_selected", "_selected_action": [mine.pk, other.pk], "post": "yes"}
    assert client.post(address(Downtime, "changelist"), both).status_code == 403
    assert Downtime.objects.count() == 2
    assert client.post(address(Downtime, "delete", mine.pk), {"post": "yes"}).status_code == 302
    assert Downtime.objects.get() == other


# -- readers ---------------------------------------------------------------------------------------


def test_a_reader_reads_over_rest_and_changes_nothing() -> None:
    rita = with_role(READERS, "rita")
    job, headers = make.create_job(owner=rita), header_of(rita)
    read = Client().get(f"/rest/v1/jobs/{job.pk}", headers=headers)
    body = {"panda_ids": [job.pk], "reason": "mine"}
    kill = Client().post(
        "/rest/v1/jobs/kill", body, content_type="application/json", headers=headers
    )
    assert (read.status_code, kill.status_code) == (200, 403)
    assert kill.json()["code"] == "reads_only"
    assert Job.objects.get().state == "defined"


def test_a_reader_reads_pages_and_changes_nothing() -> None:
    rita = with_role(READERS, "rita")
    job, client = make.create_job(owner=rita), browser_of(rita)
    assert client.get(f"/jobs/{job.pk}/").status_code == 200
    form = {"action": "kill", "ids": job.pk, "reason": "mine"}
    assert client.post("/jobs/act/do", form).status_code == 403
    assert Job.objects.get().state == "defined"


def test_who_has_another_role_besides_is_no_mere_reader() -> None:
    rita = with_role(READERS, "rita")
    rita.groups.add(Group.objects.get(name=SHIFTERS))
    job = make.create_job(owner=rita)
    body = {"panda_ids": [job.pk], "reason": "mine"}
    answer = Client().post(
        "/rest/v1/jobs/kill", body, content_type="application/json", headers=header_of(rita)
    )
    assert answer.status_code == 200


def test_the_group_of_readers_gives_nothing() -> None:
    assert not Permission.objects.filter(group__name=READERS).exists()
    assert not AuditLine.objects.exists()
