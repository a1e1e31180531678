"""The pages of a site, a task and a dataset."""

from __future__ import annotations

import pytest
from django.test import Client

from brokerage.models import BannedNode
from brokerage.services import set_site_status
from datasets.models import GB
from jobs.models import Task
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_job,
    create_pilot,
    create_site,
    create_user,
    create_vo,
    local_storage,
)
from tests.monitor.tables import tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.views.database_now", lambda: NOW)


def test_a_site_shows_facts_status_history_storage_releases_and_pilots(client: Client) -> None:
    # given
    site = create_site(
        "AGLT2",
        cloud=create_cloud("US"),
        memory_mb=2000,
        vos=[create_vo("atlas")],
        releases=[("Atlas-14.5.0", "x86_64")],
    )
    storage = local_storage(site)
    storage.free_bytes, storage.capacity_bytes, storage.measured_at = 300 * GB, 400 * GB, NOW
    storage.save()
    set_site_status(site, "brokeroff", author="alice", reason="draining", now=after(hours=-2))
    set_site_status(site, "offline", author="bob", reason="power cut", now=after(hours=-1))
    create_pilot(site, node="wn07", pilot_id="p7", claims=3)
    create_pilot(site, node="wn08", last_contact=after(hours=-5), first_contact=after(hours=-9))
    for node, end in (("wn98", NOW), ("wn99", after(days=1)), ("wn990", None)):
        BannedNode.objects.create(site=site, node=node, reason="black hole", at=NOW, until=end)
    create_job("running", site=site)
    # when
    text = client.get("/sites/AGLT2/").content.decode()
    found = tables(text)
    # then
    assert "<title>offline: site AGLT2" in text
    assert "set by bob: power cut" in text
    history = [texts(row)[1:] for row in found["history"][1:]]
    assert history == [
        ["bob", "brokeroff", "offline", "power cut"],
        ["alice", "online", "brokeroff", "draining"],
    ]
    assert texts(found["storage"][1])[:5] == ["AGLT2_DISK", "local", "300", "400", "200"]
    assert texts(found["releases"][1]) == ["Atlas-14.5.0", "x86_64", "yes"]
    assert [row[0].text for row in found["pilots"][1:]] == ["p7"]
    assert [texts(row)[:3] for row in found["banned"][1:]] == [
        ["wn99", "09-17 12:00", "09-18 12:00"],
        ["wn990", "09-17 12:00", "somebody lifts it"],
    ]
    assert texts(found["jobs"][1])[1:5] == ["2", "1", "09-17 12:00", "1"]


def test_a_site_tells_programs_the_same(client: Client) -> None:
    # given
    create_site("AGLT2", cloud=create_cloud("US"), memory_mb=2000)
    # when
    told = client.get("/sites/AGLT2/?format=json").json()
    # then
    assert (told["cloud"], told["memory_mb"], told["status"]["status"]) == ("US", 2000, "online")
    assert told["storage"][0]["gb"] is None


@pytest.mark.parametrize(("job_cap", "shown"), [(0, "no limit"), (1200, "1,200")])
def test_a_site_shows_how_many_jobs_pilots_may_hold_at_once(
    client: Client, job_cap: int, shown: str
) -> None:
    # given
    create_site("AGLT2", job_cap=job_cap)
    # when
    text = client.get("/sites/AGLT2/").content.decode()
    told = client.get("/sites/AGLT2/?format=json").json()
    # then
    assert f"<dt>Jobs at once</dt><dd>{shown}</dd>" in text
    assert told["job_cap"] == job_cap


def test_a_task_shows_its_jobs_per_state_and_its_datasets(client: Client) -> None:
    # given
    task = Task.objects.create(name="evgen", owner=create_user(), created_at=NOW)
    dataset = create_dataset("mc09.evgen")
    for nr, state in enumerate(("running", "running", "finished")):
        create_job(state, site=create_site(), task=task, outputs=[f"E{nr}"], dataset=dataset)
    create_job("running")
    # when
    text = client.get(f"/tasks/{task.pk}/").content.decode()
    told = client.get(f"/tasks/{task.pk}/?format=json").json()
    # then
    assert told["jobs"] == {"running": 2, "finished": 1}
    assert texts(tables(text)["datasets"][1]) == ["mc09.evgen", "output", "open", "3"]
    assert f"/jobs/?task={task.pk}&amp;state=running" in text


def test_a_container_has_a_page_under_its_own_name(client: Client) -> None:
    create_dataset("user.alice.all/")
    assert client.get("/datasets/user.alice.all//").status_code == 200
