"""How many jobs a search has, and when that is not counted."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_job,
    create_site,
)
from tests.monitor.test_joblist import clock, get, listed

__all__ = ["clock"]

pytestmark = pytest.mark.django_db


def test_the_count_is_exact_until_it_is_said_not_to_be(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr("monitor.joblist.COUNTED", 2)
    for _ in range(3):
        create_job(atlas_release="15.6.9")
    # then
    assert get(client, limit=1, release="15.6.9")["count"] == {"n": 2, "exact": False}
    assert get(client, limit=1, release="16.0.2")["count"] == {"n": 0, "exact": True}
    assert "more than 2" in client.get("/jobs/?limit=1&release=15.6.9").content.decode()


@pytest.mark.parametrize(
    ("filters", "n"),
    [
        ({"state": "failed,finished", "window": "3h"}, 5),
        ({"cause": "trf", "window": "24h"}, 2),
        ({"cause": "other", "window": "24h", "kind": "production"}, 2),
        ({"site": "AGLT2", "window": "1h"}, 6),
        ({"site": "AGLT2,-", "window": "3h", "label": "managed,test"}, 8),
        ({"cloud": "C*", "state": "activated,running"}, 2),
        ({"cloud": "-", "state": "defined"}, 2),
        ({"vo": "atlas", "site": "AGLT2", "window": "1h"}, 6),  # all are of this VO
    ],
    ids=str,
)
def test_a_search_that_the_counts_can_tell_has_its_number_however_large(
    client: Client, monkeypatch: pytest.MonkeyPatch, filters: dict[str, str], n: int
) -> None:
    # given
    monkeypatch.setattr("monitor.joblist.COUNTED", 0)
    site = create_site("AGLT2", cloud=create_cloud("CERN"))
    create_job("finished", site=site, end_time=after(hours=-2), prod_source_label="user")
    for _ in range(2):
        create_job("defined", prod_source_label="test")
        create_job("activated", site=site)
        create_job("failed", site=site, end_time=NOW, exe_error_code=5)
        create_job("failed", site=site, end_time=NOW, pilot_error_code=1099)
    # then
    assert get(client, limit=1, **filters)["count"] == {"n": n, "exact": True}
    assert len(listed(client, **filters)) == n


def test_a_count_that_takes_too_long_is_given_up_and_the_list_is_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    for _ in range(3):
        create_job(atlas_release="15.6.9")
    monkeypatch.setattr("monitor.joblist.in_time", lambda read, *, ms: None)
    # when
    found = get(client, limit=2, release="15.6.9")
    # then
    assert found["count"] == {"n": 2, "exact": False}
    assert len(found["jobs"]) == 2
