"""The plots show what the database holds; every choice is in the address."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import Client

from jobs.models import AnswerCount, Job
from monitor.menu import Entry, leads_somewhere
from monitor.models import EndedRoll
from monitor.plots import rollup, series
from monitor.plots.buckets import HOUR
from monitor.plots.choice import KINDS
from pandasite.base.clock import database_now
from tests.builders import after, create_cloud, create_job, create_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The clock stands a while behind the hour that begins at NOW."""
    time = after(hours=1, minutes=7)
    monkeypatch.setattr("monitor.plots.views.database_now", lambda: time)
    return time


def data(client: Client, **query: Any) -> dict[str, Any]:
    answer = client.get("/plots/data", query)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def lines(found: dict[str, Any]) -> dict[str, list[float | None]]:
    return {line["name"]: line["values"] for line in found["series"]}


def two_sites() -> Any:
    return [create_site(name, cloud=create_cloud(name[:2])) for name in ("US1", "FR1")]


def test_the_last_point_is_the_number_of_this_moment(client: Client, now: Any) -> None:
    us, fr = two_sites()
    for site in (us, us, fr):
        create_job("running", site=site)
    create_job("activated", site=us)

    found = data(client, what="states")

    assert found["x"][-1] == int(now.timestamp())
    assert lines(found)["running"][-1] == Job.objects.filter(state="running").count()
    assert lines(found)["activated"] == [1]
    assert lines(data(client, what="states", site="FR1", state="running")) == {"running": [1]}
    assert lines(data(client, what="states", cloud="US", state="running"))["running"] == [2]
    together = data(client, state="activated,running", by="cloud")
    assert lines(together) == {"US": [3], "FR": [1]}


def test_looks_are_points_and_what_nobody_looked_at_is_a_gap(client: Client, now: Any) -> None:
    site = create_site("US1")
    rollup.sample(after(minutes=40))
    create_job("running", site=site)
    rollup.sample(after(minutes=50))

    found = data(client, what="states", hours=1, state="running", site="US1")

    assert [at - int(after(minutes=40).timestamp()) for at in found["x"]] == [
        0, 300, 600, 900, 1200, 1500, 27 * 60,
    ]  # fmt: skip
    assert lines(found)["running"] == [0, None, 1, None, None, None, 1]
    assert found["looked_at"] == "2009-09-17T12:50:00Z"


def test_what_ended_is_drawn_by_the_hour(client: Client, now: Any) -> None:
    us, fr = two_sites()
    at = after(minutes=30)
    half_an_hour = {"start_time": after(minutes=0), "cpu_consumption_time": 900}
    for site, state, more in (
        (us, "finished", half_an_hour), (us, "failed", {"exe_error_code": 1}),
        (us, "failed", {"pilot_error_code": 1}), (fr, "finished", {}), (fr, "cancelled", {}),
    ):  # fmt: skip
        create_job(state, site=site, at=at, **more)
    for outcome, n in (("job", 4), ("no_job", 6)):
        AnswerCount.objects.create(site_id=us.pk, outcome=outcome, hour=after(), n=n)
    rollup.close_hour(after())

    def last(**query: Any) -> dict[str, float | None]:
        return {name: values[-1] for name, values in lines(data(client, **query)).items()}

    assert last(what="ended") == {"finished": 2, "failed": 2, "cancelled": 1}
    assert last(what="ended", site="FR1") == {"finished": 1, "failed": 0, "cancelled": 1}
    assert last(what="ended", by="site") == {"FR1": 1, "US1": 1}
    assert last(what="failures", cloud="US") == {"failed": 66.67, "by the payload": 33.33}
    assert last(what="failures", by="cloud") == {"US": 66.67, "FR": 0}
    assert last(what="dispatch") == {"jobs handed out": 4, "calls without a job": 6}
    assert last(what="efficiency", site="US1") == {"CPU efficiency": 50}
    assert last(what="efficiency", site="FR1") == {"CPU efficiency": None}
    assert data(client, what="ended")["closed_at"] == "2009-09-17T13:00:00Z"


def test_the_hour_that_goes_on_is_drawn_by_its_rate_and_said_to_be_incomplete(
    client: Client, now: Any
) -> None:
    whole = data(client, what="ended")
    EndedRoll.objects.create(span=HOUR, start=after(), finished=12)
    closed = data(client, what="ended")
    EndedRoll.objects.create(span=HOUR // 4, start=after(hours=1), finished=4)

    found = data(client, what="ended")

    assert lines(found)["finished"][-2:] == [12, 16]
    assert [one["complete"] for one in (whole, closed, found)] == [True, True, False]
    address = "/plots/data?what=ended&hours=24&format=csv"
    last = client.get(address).content.decode().splitlines()[-2:]
    assert [line.split(",")[1] for line in last] == ["True", "False"]


def test_a_rate_is_by_the_hours_that_are_known(client: Client, now: Any) -> None:
    for hour in (0, -1):
        EndedRoll.objects.create(span=HOUR, start=after(hours=hour), finished=12)

    found = data(client, what="ended", hours=24 * 20)

    assert found["span"] == 4 * HOUR
    assert lines(found)["finished"][-2:] == [12, 12]


def test_durations_are_bars_with_words(client: Client, now: Any) -> None:
    site = create_site("US1")
    for minutes in (7, 8, 50):
        start = after(minutes=30 - minutes)
        born = start.replace(hour=start.hour - 1)
        create_job(
            "finished", site=site, at=after(minutes=30), start_time=start, creation_time=born
        )
    rollup.close_hour(after())

    wall = data(client, what="wall", site="US1")
    assert wall["categories"][0] == "5 - 10 min"
    assert wall["categories"][-1] == "45 min - 1 h"
    assert wall["series"][0]["values"][0] == 2
    assert sum(wall["series"][0]["values"]) == 3
    assert sum(data(client, what="queue")["series"][0]["values"]) == 3


def test_dwell_is_told_by_state_and_by_site(client: Client, now: Any) -> None:
    site = create_site("US1")
    job = create_job("finished", site=site, at=after(minutes=40))
    job.events.all().delete()
    for seq, (state, minute) in enumerate([("running", 0), ("finished", 40)], 1):
        job.events.create(
            seq=seq, attempt_nr=1, to_state=state, actor="tests", at=after(minutes=minute)
        )
    rollup.close_hour(after())

    found = data(client, what="dwell", site="US1")
    assert found["categories"] == ["running"]
    assert 30 <= lines(found)["p50"][0] <= 45
    (row,) = client.get("/plots/dwell/", {"format": "json"}).json()["rows"]
    assert (row["site"], row["state"], row["stays"]) == ("US1", "running", 1)
    assert client.get("/plots/dwell/?format=csv&state=running").text.count("US1") == 1


def test_many_places_are_the_largest_and_the_others(
    client: Client, now: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "SHOWN", 2)
    for n in range(1, 5):
        site = create_site(f"S{n}")
        for _ in range(n):
            create_job("running", site=site)

    found = lines(data(client, state="running", by="site"))

    assert found == {"S4": [4], "S3": [3], "2 others": [3]}


def test_sites_of_a_cloud_are_drawn_site_by_site(client: Client, now: Any) -> None:
    us, fr = two_sites()
    for site in (us, fr):
        create_job("running", site=site)

    assert lines(data(client, state="running", by="site", cloud="FR")) == {"FR1": [1]}


@pytest.mark.parametrize("what", KINDS)
def test_every_plot_is_there_before_there_is_anything(client: Client, what: str) -> None:
    assert data(client, what=what)["what"] == what
    assert client.get("/plots/data", {"what": what, "format": "csv"}).status_code == 200


def test_csv_has_the_numbers_of_the_json(client: Client, now: Any) -> None:
    create_job("running", site=create_site("US1"))
    rollup.sample(after(minutes=50))

    found = data(client, state="running,activated")
    text = client.get("/plots/data?state=running,activated&format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))

    assert [row["running"] for row in rows] == [
        "" if v is None else str(v) for v in lines(found)["running"]
    ]
    assert rows[0]["start"] == "2009-09-17T12:50:00+00:00"


def test_the_page_has_a_figure_for_every_plot_with_the_choice_in_its_address(
    client: Client,
) -> None:
    create_site("US1", cloud=create_cloud("US"))

    text = client.get("/plots/", {"hours": "168", "site": "US1"}).text

    for kind in KINDS:
        assert f"/plots/data?hours=168&amp;site=US1&amp;what={kind}" in text
    assert "Live jobs have not been looked at yet" in text


def test_the_page_says_of_when_its_data_are(client: Client) -> None:
    now = database_now()
    rollup.run(now)

    text = client.get("/plots/").text

    assert "Live jobs as of" in text
    assert "ended ones up to" in text


def test_a_plot_can_stand_alone(client: Client) -> None:
    text = client.get("/plots/", {"what": "wall"}).text

    assert text.count("<figure") == 1
    assert leads_somewhere(Entry(title="Plots", page="monitor:plots"))


@pytest.mark.parametrize("address", ["/plots/", "/plots/data", "/plots/dwell/"])
@pytest.mark.parametrize(("query", "words"), [
    ({"hours": "0"}, "between 1 and 87840"), ({"hours": str(10**9)}, "between 1 and 87840"),
    ({"hours": "x"}, "a number from 1"), ({"site": "NOWHERE"}, "the name of a site"),
    ({"cloud": "XX"}, "one of US"), ({"state": "flying"}, "some of defined, waiting"),
    ({"state": "failed"}, "what=ended"), ({"moon": "1"}, "is not a known filter"),
    ({"site": "x" * 10_240}, "at most 255 characters"),
])  # fmt: skip
def test_a_bad_choice_is_told_its_value_and_its_range(
    client: Client, address: str, query: dict[str, str], words: str
) -> None:
    create_cloud("US")

    answer = client.get(address, query)

    assert answer.status_code == 400
    assert words in answer.text


@pytest.mark.parametrize(("query", "words"), [
    ({"what": "moons"}, "one of states, ended"), ({"by": "moon"}, "one of cloud, site"),
    ({"by": "site", "site": "US1"}, "no larger than that"),
    ({"site": "US1", "cloud": "FR"}, "a site of cloud FR"),
])  # fmt: skip
def test_what_does_not_go_together_is_told(
    client: Client, query: dict[str, str], words: str
) -> None:
    two_sites()

    answer = client.get("/plots/data", query)

    assert answer.status_code == 400
    assert words in answer.text
