"""The pages show a job in the archive as they showed it before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from jobs.models import BrokerageDecision, JobFile, JobOutput, Task
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_user,
    put_away,
)
from tests.jobs.shelves import archived
from tests.monitor.test_logs import TAR, body, create_log, store

pytestmark = pytest.mark.django_db

PAGES = (
    "/",
    "/?hours=24&kind=production",
    "/jobs/",
    "/jobs/?state=failed&site=AGLT2&cloud=US&task=evgen&label=managed",
    "/jobs/?user=alice&vo=atlas",
    "/jobs/?error=pilot:1099&cause=other",
    "/jobs/?window=12h&kind=production",
    "/jobs/?ended=24h",
    "/jobs/?state=running",
    "/jobs/?idle=1h",
    *(f"/jobs/?sort={way}{name}" for way in ("", "-") for name in ("ended", "changed", "cpu")),
    "/jobs/?limit=1",
    "/jobs/?limit=1&sort=-ended",
    "/jobs/{job}/",
    "/tasks/{task}/",
    "/sites/AGLT2/",
    "/datasets/mc09.HIST/",
)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("views", "recent", "catalogue.views"):
        monkeypatch.setattr(f"monitor.{module}.database_now", lambda: after(minutes=5))


@pytest.fixture
def rows() -> dict[str, int]:
    """Jobs that ended and jobs that live, at a site that fails a lot."""
    site = create_site("AGLT2")
    task = Task.objects.create(name="evgen", owner=create_user(), created_at=NOW)
    decision = BrokerageDecision.objects.create(
        at=NOW, site="AGLT2", n_jobs=1, detail={"site": "AGLT2", "reason": "x", "verdicts": []}
    )
    given: dict[str, Any] = {
        "site": site,
        "task": task,
        "inputs": [create_file(at=[create_storage("BNL")])],
        "outputs": ["HIST.1"],
        "dataset": create_dataset("mc09.HIST"),
    }
    for _ in range(5):
        job = create_job("failed", decision=decision, pilot_error_code=1099, **given)
        JobOutput.objects.create(job=job, attempt_nr=1, tail="it broke", at=NOW)
    create_job("finished", retry_of=job.pk, at=after(minutes=-30), **given)
    create_job("running", at=after(hours=-2), **given)
    return {"job": job.pk, "task": task.pk}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_the_same_before_and_behind_a_move(
    client: Client, rows: dict[str, int], page: str
) -> None:
    # given
    address = page.format(**rows)
    as_json = f"{address}{'&' if '?' in address else '?'}format=json"
    before = [client.get(as_json).json(), client.get(address).content.decode()]
    # when
    put_away()
    # then
    assert len(archived()) == 6
    assert client.get(as_json).json() == before[0]
    assert client.get(address).content.decode() == before[1]


def test_pages_of_a_list_follow_each_other_across_the_sides(
    client: Client, rows: dict[str, int]
) -> None:
    # given
    put_away()
    whole = client.get("/jobs/?sort=-changed&format=json").json()["jobs"]
    # when
    found: list[int] = []
    before = ""
    while True:
        told = client.get(f"/jobs/?sort=-changed&limit=2&format=json{before}").json()
        found += [job["panda_id"] for job in told["jobs"]]
        if told["before"] is None:
            break
        before = f"&before={told['before']}"
    # then
    assert found == [job["panda_id"] for job in whole]
    assert len(found) == 7


def test_the_log_of_a_job_in_the_archive_can_be_had(client: Client, tmp_path: Path) -> None:
    # given
    job = create_job("finished", site=create_site())
    store(tmp_path, create_log(job, 1, create_storage(url=f"file://{tmp_path}")))
    # when
    put_away()
    # then
    assert not JobFile.objects.exists()
    assert body(client.get(f"/jobs/{job.pk}/log")) == TAR
