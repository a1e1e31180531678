"""CPU and memory of a job over time: as lines for a plot, as a table, as CSV."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from monitor.jobusage import Sample, plot
from tests.builders import NOW, after, create_job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("views", "jobparts"):
        monkeypatch.setattr(f"monitor.{module}.database_now", lambda: NOW)


def test_samples_become_a_line_an_attempt() -> None:
    # given
    found = [
        Sample(1, NOW, 0, 100), Sample(1, after(seconds=60), 30, 200),
        Sample(2, after(seconds=90), 5, 150), Sample(2, after(seconds=100), 25, None),
    ]  # fmt: skip
    # when
    memory, cpu = plot(found, "memory"), plot(found, "cpu")
    # then
    start = round(NOW.timestamp())
    assert memory["x"] == [start, start + 60, start + 90, start + 100]
    assert memory["series"] == [
        {"name": "attempt 1", "values": [100, 200, None, None]},
        {"name": "attempt 2", "values": [None, None, 150, None]},
    ]
    assert [line["values"] for line in cpu["series"]] == [
        [None, 0.5, None, None], [None, None, None, 2.0],
    ]  # fmt: skip


def test_samples_are_told_as_plot_as_table_and_as_csv(client: Client) -> None:
    # given
    job = create_job("running")
    with connection.cursor() as cursor:
        row = [job.pk, 1, NOW, 60, 512]
        cursor.execute("INSERT INTO jobs_sample VALUES (%s, %s, %s, %s, %s)", row)
    address = f"/jobs/{job.pk}/samples"
    # then
    assert client.get(f"{address}?what=memory").json()["series"][0]["values"] == [512]
    assert client.get(f"{address}?format=json").json()["samples"][0]["rss_mb"] == 512
    assert "2009-09-17T12:00:00+00:00,60,512" in client.get(f"{address}?format=csv").text
    assert "2009-09-17 12:00:00" in client.get(address).text
    assert client.get(f"{address}?what=disk").status_code == 400
    assert f'data-src="{address}?what=cpu"' in client.get(f"/jobs/{job.pk}/").text
