"""The pages of a dataset and of a file."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from datasets import services, sums
from datasets.models import ContainerMember, Subscription
from jobs.models import AnyJob
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_job,
    create_replica,
    create_storage,
    create_transfer,
    create_user,
    put_away,
)
from tests.monitor.catalogue.test_datasets import facts
from tests.monitor.sums import create_task
from tests.monitor.tables import rows, tables, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.catalogue.views.database_now", lambda: NOW)


def test_a_dataset_shows_its_files_by_storage_element(client: Client) -> None:
    # given
    dataset = create_dataset("mc09.evgen_sub01", parent=create_dataset("mc09.evgen"), type="sub")
    home, away, bad = (create_storage(name) for name in ("HOME", "AWAY", "BAD"))
    one = create_file("E1", at=[away], dataset=dataset, size=1_500_000, events=300)
    create_file("E2", at=[home], dataset=dataset)
    create_transfer(one, home, error="no route", attempts=2)
    create_replica(one, bad, state="bad", reason="wrong size")
    Subscription.objects.create(dataset=dataset, storage=home, created_at=after(hours=-1))
    # when
    text = client.get("/datasets/mc09.evgen_sub01/").text
    found = tables(text)
    # then
    assert texts(found["files"][0])[3:6] == ["AWAY", "BAD", "HOME"]
    assert texts(found["files"][1])[:6] == [
        "mc09: E1", "1.5 MB", "300", "there", "bad", "queued",
    ]  # fmt: skip
    assert texts(found["files"][2])[3:6] == ["", "", "there"]
    assert 'title="2 tries: no route"' in text and 'title="wrong size"' in text
    assert [texts(row) for row in found["troubles"][1:]] == [
        ["E1", "BAD", "bad", "wrong size"],
        ["E1", "HOME", "queued", "no route"],
    ]
    wish = rows(found["subscriptions"])["HOME"]
    assert texts(wish)[1:3] == ["production", "open"]
    assert wish[5].text == "1 of 2"
    assert 'href="/datasets/mc09.evgen/"' in text
    assert texts(rows(found["where"])["AWAY"])[1] == "1 of 2"


def test_a_dataset_tells_what_is_known_of_it(client: Client) -> None:
    dataset = create_dataset(
        "mc09.1.py.merge.AOD.r1", owner=create_user("alice"), metadata={"campaign": "mc09a"},
        expires_at=after(days=9),
    )  # fmt: skip
    bnl = create_storage("BNL")
    file = create_file(dataset=dataset, at=[bnl], events=5)
    services.mark_bad(file, bnl, "gone")
    services.abort_datasets([dataset.pk], reason="bad tag", now=NOW)
    sums.run(NOW)

    page = facts(client, f"/datasets/{dataset.name}/")
    text = client.get(f"/datasets/{dataset.name}/").text

    assert (page["category"], page["data_type"], page["owner"]) == ("mc", "AOD", "alice")
    assert (page["n_files"], page["n_events"], page["n_lost"]) == (1, 5, 1)
    assert page["metadata"] == {"campaign": "mc09a"}
    assert "mc09a" in text and "bad tag" in text and "1 file lost:" in text


def test_a_long_dataset_is_shown_in_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr("monitor.catalogue.datasetpage.FILES_SHOWN", 2)
    dataset = create_dataset("mc09.evgen")
    names = [create_file(dataset=dataset).lfn for _ in range(5)]
    # when
    seen: list[str] = []
    behind: int | str | None = ""
    while behind is not None:
        page = client.get(f"/datasets/mc09.evgen/?format=json&after={behind}").json()
        seen += [file["lfn"] for file in page["files"]]
        behind = page["after"]
    # then
    assert seen == names
    assert client.get("/datasets/mc09.evgen/?after=999999999").status_code == 404


def test_a_large_dataset_shows_the_sums_that_are_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catalogue.datasetpage.COUNTED", 0)
    dataset = create_dataset("mc09.evgen")
    create_file(dataset=dataset)
    sums.run(after(hours=-3))
    create_file(dataset=dataset)

    page = facts(client, "/datasets/mc09.evgen/")

    assert page["n_files"] == 1
    assert page["counted_at"] == "2009-09-17T09:00:00Z"


def test_the_jobs_and_tasks_of_a_dataset_are_those_that_live_and_those_that_ended(
    client: Client,
) -> None:
    # given
    dataset, task = create_dataset("mc09.evgen"), create_task()
    file = create_file("E1", dataset=dataset)
    reads = create_job("activated", inputs=[file], dataset=dataset, task=task)
    made = create_job("finished", outputs=["E1"], dataset=dataset, at=after(hours=-50))
    put_away()
    # when
    page = facts(client, "/datasets/mc09.evgen/")
    # then
    assert page["live_jobs"] == {"input": 1}
    assert [(job["job"], job["kind"], job["state"]) for job in page["jobs"]] == [
        (made.pk, "output", "finished"), (reads.pk, "input", "activated"),
    ]  # fmt: skip
    assert [one["task"] for one in page["tasks"]] == [task.pk]
    text = client.get("/datasets/mc09.evgen/").text
    assert f'href="/tasks/{task.pk}/"' in text and f'href="/jobs/{made.pk}/"' in text


def test_a_container_shows_the_datasets_in_it(client: Client) -> None:
    whole = create_dataset("mc09.all/", type="container")
    part = create_dataset("mc09.part", n_files=3)
    ContainerMember.objects.create(container=whole, dataset=part)

    page = client.get("/datasets/mc09.all//", {"format": "json"}).json()

    assert page["datasets"] == ["mc09.part"]
    assert 'href="/datasets/mc09.part/"' in client.get("/datasets/mc09.all//").text


# Files


def test_a_file_has_its_replicas_transfers_datasets_and_jobs(client: Client) -> None:
    # given
    dataset, home = create_dataset("mc09.evgen"), create_storage("HOME")
    file = create_file("E1", dataset=dataset, at=[home], size=123456, events=9)
    create_transfer(
        file, create_storage("AWAY"), state="failed", ended_at=NOW, error="disk full",
        reason="no space left", source=home,
    )  # fmt: skip
    job = create_job("running", inputs=[file])
    # when
    page = facts(client, "/files/mc09/E1/")
    text = client.get("/files/mc09/E1/").text
    # then
    assert (page["size"], page["events"], page["datasets"]) == (123456, 9, ["mc09.evgen"])
    assert [one["storage"] for one in page["replicas"]] == ["HOME"]
    (move,) = page["transfers"]
    assert (move["destination"], move["error"], move["reason"]) == (
        "AWAY", "disk full", "no space left",
    )  # fmt: skip
    assert [one["job"] for one in page["jobs"]] == [job.pk]
    assert "disk full" in text and "123,456 bytes" in text


def test_of_a_file_that_many_jobs_read_the_latest_are_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr("monitor.catalogue.users.MOST", 3)
    file, task = create_file("DBR.1"), create_task()
    for weeks in (3, 2, 1):
        for _ in range(2):
            create_job("finished", inputs=[file], at=after(days=-7 * weeks), task=task)
    put_away()
    live = create_job("running", inputs=[file])
    # when
    page = facts(client, "/files/mc09/DBR.1/")
    # then
    latest = [job.pk for job in AnyJob.objects.order_by("-pk")[:3]]
    assert [one["job"] for one in page["jobs"]] == latest and latest[0] == live.pk
    assert [(one["state"], one["task"]) for one in page["jobs"]] == [
        ("running", None), ("finished", task.pk), ("finished", task.pk),
    ]  # fmt: skip
    assert page["cut"] == ["jobs"]
    assert "The latest jobs: there are more." in client.get("/files/mc09/DBR.1/").text


def test_the_uses_of_a_file_are_read_in_the_order_of_an_index() -> None:
    # given
    for weeks in (1, 2):
        create_job("finished", outputs=["E1"], at=after(days=-7 * weeks))
    put_away()
    # when
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'jobs_uses'")
        (body,) = cursor.fetchone()
        statement = body.partition("RETURN QUERY ")[2].partition(";")[0]
        given = {"scopes": "ARRAY['mc09']", "lfns": "ARRAY['E1']", "most": "200"}
        for name, value in given.items():
            statement = statement.replace(f"p_{name}", value)
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    # then: what is sorted is what was found, not all uses of a file
    assert plan.count("Sort Key: f.job_id DESC, f.lfn") == plan.count("Sort Key: f.")
    assert "Merge Append" in plan and "Seq Scan" not in plan


def test_a_file_of_the_same_name_in_another_scope_is_another_file(client: Client) -> None:
    file = create_file("E1", scope="mc08")
    create_job("running", inputs=[create_file("E1", scope="mc09")])

    assert facts(client, f"/files/mc08/{file.lfn}/")["jobs"] == []
    assert client.get("/files/mc10/E1/").status_code == 404
    assert client.get("/files/mc08/E1/?colour=red").status_code == 400
