"""What is done about failures from their page: by whom, why, to how many, and what came of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from brokerage.models import Site, SiteStatusChange
from jobs.groups import OPERATORS, SHIFTERS
from jobs.models import Job
from pandasite.base.models import AuditLine
from tests.builders import NOW, create_pilot_account, create_user
from tests.monitor.errors.grid import Grid, make_grid
from tests.monitor.tables import tables

pytestmark = pytest.mark.django_db
RETRY, STATUS = "/errors/retry/", "/errors/site-status/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.errors.views.database_now", lambda: NOW)
    monkeypatch.setattr("monitor.errors.acting.database_now", lambda: NOW)


@pytest.fixture
def grid(db: None) -> Grid:
    return make_grid()


def client_of(name: str, group: str = "") -> Client:
    user = create_user(name)
    if group:
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(db: None) -> Client:
    return client_of("olga", OPERATORS)


def cluster_page(client: Client) -> str:
    shown = tables(client.get("/errors/messages/").text)["Messages"]
    return client.get(shown[1][2].links[0]).text


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"\s+value="([^"]*)"', page)
    assert found, name
    return found[1]


def test_the_jobs_of_a_cluster_are_tried_again_as_the_page_said(
    operator: Client, grid: Grid
) -> None:
    # given the count before acting
    page = cluster_page(operator)
    assert "Try 12 again" in page
    # when
    form = {name: hidden(page, name) for name in ("jobs", "about", "back")}
    answer = operator.post(RETRY, form | {"reason": "disk mended"})
    # then
    assert answer.status_code == 200
    assert "12 jobs of 12 tried again" in answer.text
    successors = dict(Job.objects.filter(retry_of__isnull=False).values_list("retry_of", "pk"))
    assert set(successors) == {job.pk for job in grid.disk}
    for old, new in successors.items():
        assert f"job {old} is tried again as job {new}" in answer.text
    line = AuditLine.objects.get()
    assert (line.actor_name, line.action, line.reason) == ("olga", "job_retry", "disk mended")
    assert line.subject == "12 jobs with pilot:1137"
    # and again there is nothing to do
    assert "All of these jobs have a successor already." in cluster_page(operator)
    again = operator.post(RETRY, form | {"reason": "disk mended"})
    assert "0 jobs of 12 tried again" in again.text
    assert "has tried it again already" in again.text
    assert Job.objects.filter(retry_of__isnull=False).count() == 12


@pytest.mark.parametrize("status", ["offline", "brokeroff"])
def test_a_site_is_taken_out_with_the_reason(operator: Client, grid: Grid, status: str) -> None:
    page = cluster_page(operator)
    assert "BNL (12 of these failures)" in page

    form = {"site": "BNL", "status": status, "back": hidden(page, "back"), "reason": "disk full"}
    answer = operator.post(STATUS, form)

    assert f"Site BNL is {status} now" in answer.text
    assert Site.objects.get(name="BNL").status == status
    change = SiteStatusChange.objects.get()
    assert (change.author, change.reason) == ("olga", "disk full")
    assert AuditLine.objects.get().action == "site_status"
    assert "None of these sites is online." in cluster_page(operator)


ORDERS = (
    (RETRY, {"jobs": "1", "reason": "r"}),
    (STATUS, {"site": "BNL", "status": "offline", "reason": "r"}),
    ("/nodes/ban/", {"site": "BNL", "node": "hole.bnl.gov", "reason": "r"}),
    ("/nodes/unban/", {"site": "BNL", "node": "hole.bnl.gov", "reason": "r"}),
)


@pytest.mark.parametrize(("address", "form"), ORDERS)
def test_who_has_not_the_role_is_refused_and_sees_no_form(
    grid: Grid, address: str, form: dict[str, str]
) -> None:
    pilot = Client()
    pilot.force_login(create_pilot_account(grid.bnl).user)
    for client in (Client(), client_of("shifter", SHIFTERS), pilot):
        answer = client.post(address, form)
        assert answer.status_code == 403
    shifter = client_of("shifter", SHIFTERS)
    for page in (cluster_page(shifter), shifter.get("/nodes/BNL/hole.bnl.gov/").text):
        assert 'class="act"' not in page
    assert not AuditLine.objects.exists()


@pytest.mark.parametrize(("address", "form"), ORDERS)
def test_an_action_is_no_page_and_needs_the_token_of_its_form(
    operator: Client, grid: Grid, address: str, form: dict[str, str]
) -> None:
    assert operator.get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(create_user("olga"))
    assert strict.post(address, form).status_code == 403
    assert not AuditLine.objects.exists()


@pytest.mark.parametrize(("address", "form"), ORDERS)
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", "reason must be given"),
        ("   ", "reason must be given"),
        ("two\nlines", "one line without control characters"),
        ("x" * 256, "at most 255 characters"),
    ],
)
def test_nothing_is_done_without_a_reason(
    operator: Client, grid: Grid, address: str, form: dict[str, str], reason: str, words: str
) -> None:
    answer = operator.post(address, form | {"reason": reason})

    assert answer.status_code == 400
    assert words.lower() in answer.text.lower()
    assert not AuditLine.objects.exists()


@pytest.mark.parametrize(
    ("address", "form", "words"),
    [
        (RETRY, {}, "jobs must be 1 to 500 numbers separated by commas"),
        (RETRY, {"jobs": "1,x"}, "not &#x27;x&#x27;"),
        (RETRY, {"jobs": ",".join(map(str, range(501)))}, "not &#x27;501 numbers&#x27;"),
        (RETRY, {"jobs": "9" * 20}, "1 to 500 numbers"),
        (RETRY, {"jobs": "1", "colour": "red"}, "not a known filter"),
        (STATUS, {"site": "MOON", "status": "offline"}, "name of a site that there is"),
        (STATUS, {"site": "BNL", "status": "moon"}, "one of online, offline"),
        (STATUS, {"site": "BNL", "status": ""}, "unknown status"),
        ("/nodes/ban/", {"site": "MOON", "node": "n"}, "name of a site that there is"),
        ("/nodes/ban/", {"site": "BNL", "node": ""}, "a name of 1 to 128 characters"),
        ("/nodes/ban/", {"site": "BNL", "node": "n" * 129}, "at most 128 characters"),
        ("/nodes/ban/", {"site": "BNL", "node": "n", "hours": "7"}, "one of 6, 24"),
    ],
)
def test_a_bad_order_is_refused_with_field_value_and_range(
    operator: Client, grid: Grid, address: str, form: dict[str, str], words: str
) -> None:
    answer = operator.post(address, {"reason": "r", **form})

    assert answer.status_code == 400
    assert words.lower() in answer.text.lower()
    assert not AuditLine.objects.exists()


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_the_way_back_leads_to_a_page_of_ours(operator: Client, grid: Grid, back: str) -> None:
    form: dict[str, Any] = {"jobs": str(grid.disk[0].pk), "reason": "r", "back": back}

    assert '<a href="/errors/">Back</a>' in operator.post(RETRY, form).text


def test_a_site_is_set_offline_and_online_again_on_its_page(operator: Client, grid: Grid) -> None:
    # given
    page = operator.get("/sites/BNL/").text
    form = page[page.index(STATUS) :].partition("</form>")[0]
    assert re.findall(r'<option value="(\w+)"', form) == ["brokeroff", "test", "offline"]
    assert 'name="back" value="/sites/BNL/"' in " ".join(form.split())
    # when
    for status in ("offline", "online"):
        given = {"site": "BNL", "status": status, "reason": "storage", "back": "/sites/BNL/"}
        answer = operator.post(STATUS, given)
        # then
        assert f"Site BNL is {status} now" in answer.text
        assert 'href="/sites/BNL/"' in answer.text
        assert Site.objects.get(name="BNL").status == status


def test_who_may_not_set_a_status_has_no_form_for_it(client: Client, grid: Grid) -> None:
    for somebody in (client, client_of("sam", SHIFTERS)):
        assert STATUS not in somebody.get("/sites/BNL/").text
