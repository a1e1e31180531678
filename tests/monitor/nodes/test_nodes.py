"""The pages of nodes: which fail more than the others, and keeping them from jobs."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from brokerage.bans import ban_node
from brokerage.models import BannedNode
from jobs import ends, nodes
from jobs.groups import OPERATORS
from jobs.models import Job, Node
from monitor.nodes import lists
from pandasite.base.models import AuditLine
from tests.builders import NOW, after, create_job, create_site, create_user, put_away
from tests.monitor.errors.grid import Grid, make_grid
from tests.monitor.tables import rows, tables, texts

pytestmark = pytest.mark.django_db
HOLE = "/nodes/BNL/hole.bnl.gov/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("monitor.nodes.views", "monitor.errors.acting", "monitor.errors.views"):
        monkeypatch.setattr(f"{module}.database_now", lambda: NOW)


@pytest.fixture
def grid(db: None) -> Grid:
    return make_grid()


@pytest.fixture
def operator(db: None) -> Client:
    user = create_user("olga")
    user.groups.add(Group.objects.get(name=OPERATORS))
    client = Client()
    client.force_login(user)
    return client


# -- the rule --------------------------------------------------------------------------------------

# -- the list --------------------------------------------------------------------------------------


def test_each_node_has_what_its_jobs_came_to(client: Client, grid: Grid) -> None:
    create_job("cancelled", site=grid.bnl, at=NOW, node="wn1.bnl.gov")
    put_away()
    shown = tables(client.get("/nodes/").text)["Nodes"]

    assert [texts(row)[:10] for row in shown[1:]] == [
        ["hole.bnl.gov", "BNL", "1", "1", "0", "12", "! 100.0", "VeryHigh", "6.0", "0 s ago"],
        ["wn1.in2p3.fr", "LYON", "1", "0", "1", "4", "! 80.0", "", "0.0", "0 s ago"],
        ["wn1.bnl.gov", "BNL", "1", "0", "40", "0", "0.0", "", "0.0", "0 s ago"],
    ]


def test_the_page_says_at_once_which_node_is_a_black_hole(client: Client, grid: Grid) -> None:
    text = " ".join(client.get("/nodes/").text.split())

    assert "1 node fails far more than the others of its site and still gets jobs" in text
    assert "12 of 12 failed (100 %), VeryHigh" in text
    only = tables(client.get("/nodes/?outliers=1").text)["Nodes"]
    assert [row[0].text for row in only[1:]] == ["hole.bnl.gov"]


def test_the_number_of_failures_is_that_of_the_list_behind_it(client: Client, grid: Grid) -> None:
    cell = rows(tables(client.get("/nodes/").text)["Nodes"])["hole.bnl.gov"][5]

    listed = client.get(f"{cell.links[0]}&format=json").json()
    assert listed["count"]["n"] == 12


def test_a_site_shows_also_nodes_that_only_called(client: Client, grid: Grid) -> None:
    Node.objects.create(site=grid.bnl, node="idle.bnl.gov", last_claim=NOW)

    def names(query: str) -> list[str]:
        shown = tables(client.get(f"/nodes/?{query}").text)["Nodes"]
        return [row[0].text for row in shown[1:]]

    assert names("site=BNL") == ["hole.bnl.gov", "wn1.bnl.gov", "idle.bnl.gov"]
    assert names("cloud=FR") == names("grid=EGEE") == ["wn1.in2p3.fr"]
    assert "idle.bnl.gov" not in names("")


def test_jobs_too_many_to_count_are_not_counted(
    client: Client, grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LIVE_READ", 0)

    page = client.get("/nodes/").text

    assert "Too many jobs run to count them by node" in page
    assert rows(tables(page)["Nodes"])["hole.bnl.gov"][3].text == ""
    assert (
        rows(tables(client.get("/nodes/?site=LYON").text)["Nodes"])["wn1.in2p3.fr"][3].text == "0"
    )


def test_only_the_worst_of_many_nodes_are_listed_and_it_is_said(
    client: Client, grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MOST", 2)

    page = " ".join(client.get("/nodes/").text.split())

    told = client.get("/nodes/?format=json").json()
    words = f"Not all nodes: the 2 with the most failures, of {told['nodes_with_failed_jobs']}"
    assert words in page
    assert told["complete"] is False


def test_nodes_that_fail_stand_before_all_others_and_those_of_late_before_the_rest(
    client: Client, grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: one node that fails, and three that do not
    site = create_site("MWT2")
    create_job("failed", site=site, node="bad")
    for hours, name in enumerate(("new", "older", "oldest")):
        for _ in range(1 + hours):
            create_job("finished", site=site, at=after(hours=-hours), node=name)

    def listed() -> tuple[list[str], bool]:
        told = client.get("/nodes/?site=MWT2&format=json").json()
        return [row["node"] for row in told["rows"]], told["complete"]

    # then
    assert listed() == (["bad", "oldest", "older", "new"], True)
    ends.fold(NOW)
    assert listed() == (["bad", "oldest", "older", "new"], True)
    monkeypatch.setattr(nodes, "READ", 2)
    assert listed() == (["bad", "new"], False)
    monkeypatch.setattr(lists, "MOST", 1)
    assert listed() == (["bad"], False)


@pytest.mark.parametrize(("hours", "n"), [("1", 12), ("24", 12), ("720", 13)])
def test_the_window_is_that_of_the_address(client: Client, grid: Grid, hours: str, n: int) -> None:
    create_job("failed", site=grid.bnl, at=after(days=-20), node="hole.bnl.gov")

    told = client.get("/nodes/", {"hours": hours, "format": "json"}).json()

    assert told["rows"][0]["failed"] == n


def test_the_list_is_csv_too(client: Client, grid: Grid) -> None:
    lines = client.get("/nodes/?format=csv&columns=node,failed").content.decode().splitlines()
    assert lines == ["node,failed", "hole.bnl.gov,12", "wn1.in2p3.fr,4", "wn1.bnl.gov,0"]


@pytest.mark.parametrize("address", ["/nodes/", HOLE, f"{HOLE}plot"])
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("hours=721", "between 1 and 720"),
        ("error=pilot", "not a known filter"),
        ("kind=analysis", "not a known filter"),
        ("period=2009-07-01..2009-07-02", "begins between 2009-08-18 and now"),
        ("format=xml", "one of html, json"),
    ],
)
def test_a_bad_filter_is_refused(
    client: Client, grid: Grid, address: str, query: str, words: str
) -> None:
    answer = client.get(f"{address}?{query}")

    assert answer.status_code == 400
    assert words in answer.text


# -- one node --------------------------------------------------------------------------------------


def test_the_page_of_a_node_tells_what_its_jobs_say(client: Client, grid: Grid) -> None:
    page = client.get(HOLE)
    told = client.get(f"{HOLE}?format=json").json()

    assert texts(tables(page.text)["messages"][1])[:3] == [
        "12", "pilot:1137", "could not write <path> on <host>: errno 28",
    ]  # fmt: skip
    assert "<strong>VeryHigh:</strong>" in page.text
    assert (told["failed"], told["finished"], told["running"]) == (12, 0, 1)
    assert (told["failed_percent"], told["site_failed_percent"]) == (100.0, 23.1)
    assert told["ban"] is None


def test_a_message_of_a_node_leads_to_all_jobs_of_the_site_that_say_so(
    client: Client, grid: Grid
) -> None:
    link = tables(client.get(HOLE).text)["messages"][1][2].links[0]

    assert client.get(f"{link}&format=json").json()["count"] == 12


def test_the_plot_of_a_node_is_by_the_hour(client: Client, grid: Grid) -> None:
    create_job("finished", site=grid.bnl, at=NOW, node="hole.bnl.gov")

    told = client.get(f"{HOLE}plot?hours=3").json()

    hours = ["09-17 09:00", "09-17 10:00", "09-17 11:00", "09-17 12:00"]
    assert told["categories"] == hours
    assert told["at"][-1] - told["at"][0] == 3 * 3600
    assert told["at"][-1] == NOW.timestamp()
    assert {s["name"]: s["values"] for s in told["series"]} == {
        "finished": [0, 0, 0, 1], "failed": [0, 0, 12, 0], "cancelled": [0, 0, 0, 0],
    }  # fmt: skip
    days = client.get(f"{HOLE}plot?hours=168").json()
    assert days["categories"] == hours[2:]


@pytest.mark.parametrize("address", ["/nodes/BNL/moon/", "/nodes/MOON/wn1/"])
def test_a_node_that_nobody_has_heard_of_is_told(client: Client, grid: Grid, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404


def test_a_node_may_have_any_name(client: Client) -> None:
    site = create_site("BNL")
    for name in ("slot1@wn 1/2.x", "a?b#c%d", "<b>"):
        create_job("failed", site=site, at=NOW, node=name)
    shown = tables(client.get("/nodes/").text)["Nodes"]

    for row in shown[1:]:
        page = client.get(row[0].links[0])
        assert page.status_code == 200, row[0].links
        assert client.get(f"{row[5].links[0]}&format=json").json()["count"]["n"] == 1


# -- bans ------------------------------------------------------------------------------------------


def test_a_node_is_banned_for_a_time_and_the_ban_is_lifted(operator: Client, grid: Grid) -> None:
    # when
    form = {"site": "BNL", "node": "hole.bnl.gov", "back": HOLE}
    answer = operator.post("/nodes/ban/", form | {"hours": "72", "reason": "disk full"})
    # then
    end = (
        '<time datetime="2009-09-20T12:00:00Z" title="2009-09-20T12:00:00Z">2009-09-20 12:00</time>'
    )
    assert f"hole.bnl.gov at BNL gets no jobs until {end}" in answer.text
    assert f'<a href="{HOLE}">Back</a>' in answer.text
    ban = BannedNode.objects.get()
    assert (ban.reason, str(ban.author), ban.until) == ("disk full", "olga", after(days=3))
    line = AuditLine.objects.get()
    assert (line.actor_name, line.action, line.reason) == ("olga", "ban_node", "disk full")
    assert "<strong>Banned</strong>" in operator.get(HOLE).text
    listed = rows(tables(operator.get("/nodes/").text)["Nodes"])["hole.bnl.gov"]
    assert listed[10].text == "banned until 09-20 12:00 UTC: disk full"
    assert "No outlier." in operator.get("/nodes/").text
    # and again is a conflict
    assert operator.post("/nodes/ban/", form | {"reason": "r"}).status_code == 409
    # when
    answer = operator.post("/nodes/unban/", form | {"reason": "disk replaced"})
    # then
    assert "hole.bnl.gov at BNL gets jobs again" in answer.text
    assert not BannedNode.objects.exists()
    assert AuditLine.objects.latest("at", "pk").reason == "disk replaced"
    assert operator.post("/nodes/unban/", form | {"reason": "r"}).status_code == 404
    bans = tables(operator.get(HOLE).text)["audit"]
    assert {row[2].text for row in bans[1:]} == {"ban_node", "lift_ban"}


def test_a_ban_may_be_for_good(operator: Client, grid: Grid) -> None:
    form = {"site": "BNL", "node": "hole.bnl.gov", "hours": "0", "reason": "gone"}
    answer = operator.post("/nodes/ban/", form)

    assert "until somebody lifts the ban" in answer.text
    assert BannedNode.objects.get().until is None


def test_a_ban_that_is_over_is_none(client: Client, grid: Grid) -> None:
    ban_node(grid.bnl, "hole.bnl.gov", user=create_user("olga"), reason="r",
             now=NOW - dt.timedelta(hours=2), until=after(hours=-1))  # fmt: skip

    assert "<strong>Banned</strong>" not in client.get(HOLE).text
    assert rows(tables(client.get("/nodes/").text)["Nodes"])["hole.bnl.gov"][10].text == ""
    assert Job.objects.exists()
