"""Quick search: each kind of thing, straight to its page or in a list, on both sides of jobs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from jobs.models import ErrorCode, Task
from monitor.search import groups
from tests.builders import (
    GUID,
    NOW,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_pilot,
    create_pilot_account,
    create_site,
    create_user,
    put_away,
)

pytestmark = pytest.mark.django_db


def found(client: Client, q: str, **more: str) -> dict[str, list[dict[str, Any]]]:
    """The hits of a search by their group."""
    answer = client.get("/search", {"q": q, "format": "json", **more})
    assert answer.status_code == 200, answer.content
    return {group["group"]: group["hits"] for group in answer.json()["groups"]}


def called(client: Client, q: str, group: str, **more: str) -> list[str]:
    return [hit["name"] for hit in found(client, q, **more).get(group, [])]


def where(client: Client, q: str) -> str:
    """Where a search leads to; empty when it stays."""
    answer = client.get("/search", {"q": q})
    return answer.headers["Location"] if answer.status_code == 302 else ""


def test_a_panda_id_leads_to_the_job_live_or_ended(client: Client) -> None:
    live, ended = create_job("running", site=create_site()), create_job("failed")
    put_away()

    for job in (live, ended):
        assert where(client, f" {job.pk} ") == f"/jobs/{job.pk}/"


def test_what_has_one_exact_name_is_gone_to(client: Client) -> None:
    site = create_site("AGLT2", cloud=create_cloud("US"))
    task = Task.objects.create(name="evgen.105001", owner=create_user("alice"), created_at=NOW)
    create_dataset("mc09.105001.evgen")
    job = create_job("running", site=site, job_name="evgen.105001._0001")

    assert where(client, str(task.pk)) == f"/tasks/{task.pk}/"
    assert where(client, "evgen.105001") == f"/tasks/{task.pk}/"
    assert where(client, "mc09.105001.evgen") == "/datasets/mc09.105001.evgen/"
    assert where(client, "evgen.105001._0001") == f"/jobs/{job.pk}/"
    assert where(client, "aglt2") == "/sites/AGLT2/"
    assert where(client, "pilot:1099") == "/jobs/?state=failed&error=pilot%3A1099&ended=24h"
    assert where(client, "failed") == "/jobs/?state=failed&window=24h"


def test_a_task_request_leads_to_its_task_or_to_the_list_of_its_tasks(client: Client) -> None:
    owner = create_user("alice")
    one, *two = [
        Task.objects.create(name=name, owner=owner, created_at=NOW, request_id=request)
        for name, request in (("a", 70), ("b", 71), ("c", 71))
    ]

    assert where(client, "70") == f"/tasks/{one.pk}/"
    assert where(client, "71") == "/tasks/?request=71"
    every, *hits = found(client, "71")["requests"]
    assert every["name"] == "request 71"
    assert [hit["taskID"] for hit in hits] == [task.pk for task in reversed(two)]


def test_a_number_of_a_job_is_gone_to_also_where_a_request_has_it(client: Client) -> None:
    job = create_job("running", site=create_site())
    owner = create_user("alice")
    Task.objects.create(name="a", owner=owner, created_at=NOW, request_id=job.pk)

    assert where(client, str(job.pk)) == f"/jobs/{job.pk}/"
    assert "requests" in found(client, str(job.pk))


def test_the_state_of_a_task_leads_to_such_tasks_also_of_those_that_group_jobs(
    client: Client,
) -> None:
    assert where(client, "partly") == "/tasks/?status=partly"
    (hit,) = found(client, "finished")["task_states"]
    assert hit["url"] == "/tasks/?status=finished"


def test_two_things_of_one_name_are_both_shown(client: Client) -> None:
    create_dataset("same")
    job = create_job("running", site=create_site(), job_name="same")

    assert where(client, "same") == ""
    hits = found(client, "same")
    assert hits["datasets"][0]["exact"]
    assert hits["jobs"][0]["url"] == f"/jobs/{job.pk}/"


def test_a_cloud_a_user_and_a_node_lead_to_their_jobs_at_least(client: Client) -> None:
    site = create_site("AGLT2", cloud=create_cloud("US"))
    create_user("alice")
    create_pilot(site, node="wn01.example.org")

    (cloud,) = found(client, "us")["clouds"]
    (user,) = found(client, "ali")["users"]
    (node,) = found(client, "wn01")["nodes"]

    assert "US" in cloud["url"]
    assert "alice" in user["url"]
    assert node["Site"] == "AGLT2"
    assert "wn01.example.org" in node["url"]


def test_a_pilot_is_no_user(client: Client) -> None:
    create_pilot_account(create_site("AGLT2"))

    assert "users" not in found(client, "pilot@")


def test_a_file_is_found_by_guid_and_by_name(client: Client) -> None:
    file = create_file("EVNT._00001.root", dataset=create_dataset("mc09.evgen"))
    job = create_job("waiting", inputs=[file], outputs=["EVNT._00001.root.HIST"])

    for q in (GUID, GUID.upper(), "EVNT._00001"):
        (hit,) = found(client, q)["files"]
        assert (hit["name"], hit["Dataset"]) == (file.lfn, "mc09.evgen")
        assert hit["url"] == "/files/mc09/EVNT._00001.root/"
    hits = found(client, "EVNT._00001")["job_files"]
    assert [hit["name"] for hit in hits] == ["EVNT._00001.root", "EVNT._00001.root.HIST"]
    assert {hit["url"] for hit in hits} == {f"/jobs/{job.pk}/"}


def test_files_of_ended_jobs_are_found(client: Client) -> None:
    create_job("failed", outputs=["HIST.7"])
    put_away()

    assert called(client, "HIST", "job_files") == ["HIST.7"]


def test_an_error_is_found_by_its_number_and_by_its_meaning(client: Client) -> None:
    code = ErrorCode.objects.filter(component="pilot").first()
    assert code is not None

    names_of = [f"{code.component}:{code.code}"]
    assert names_of[0] in called(client, str(code.code), "errors")
    assert names_of[0] in called(client, code.meaning[:20], "errors")


def test_an_unknown_code_of_a_known_component_says_so(client: Client) -> None:
    (hit,) = found(client, "pilot:987654")["errors"]

    assert hit["Meaning"] == "no meaning is known"


@pytest.mark.parametrize("q", ["%", "_", "job_", "\\", "'", "*"])
def test_no_character_is_a_wildcard(client: Client, q: str) -> None:
    create_job("waiting", job_name="jobs")

    assert "jobs" not in found(client, q)


def test_a_name_is_found_by_its_beginning_alone_and_by_its_case(client: Client) -> None:
    for name in ("evgen.1", "Evgen.1", "sim.evgen.1", "evgeN.1"):
        create_job("waiting", job_name=name)

    assert called(client, "evgen", "jobs") == ["evgen.1"]


def test_jobs_live_and_ended_stand_in_one_order(client: Client) -> None:
    for name in ("a3", "a1", "b1"):
        create_job("finished", job_name=name)
    put_away()
    for name in ("a4", "a2"):
        create_job("waiting", job_name=name)

    hits = found(client, "a")["jobs"]

    assert [hit["name"] for hit in hits] == ["a1", "a2", "a3", "a4"]
    assert [hit["State"] for hit in hits] == ["finished", "waiting", "finished", "waiting"]


def test_many_are_cut_short_and_all_of_them_can_be_paged_through(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(groups, "ROWS", 3)
    for i in range(7):
        create_job("waiting" if i % 2 else "finished", job_name="same" if i < 5 else f"same.{i}")
    put_away()
    create_job("finished", job_name="same")
    # when
    first = client.get("/search", {"q": "same", "format": "json", "group": "jobs"}).json()
    seen: list[str] = []
    (page,) = first["groups"]
    while True:
        seen += [hit["PandaID"] for hit in page["hits"]]
        if not page["more"]:
            break
        (page,) = client.get(f"{page['more']}&format=json").json()["groups"]
    # then
    assert len(seen) == len(set(seen)) == 8


def test_a_group_with_more_leads_to_all_of_it(client: Client) -> None:
    for i in range(groups.SHOWN + 1):
        create_dataset(f"mc09.{i:03d}")

    answer = client.get("/search", {"q": "mc09."})

    assert answer.text.count("/datasets/mc09.") == groups.SHOWN
    assert 'href="/search?q=mc09.&amp;group=datasets"' in answer.text
    whole = client.get("/search?q=mc09.&group=datasets")
    assert whole.text.count("/datasets/mc09.") == groups.SHOWN + 1


def test_the_same_is_had_as_csv(client: Client) -> None:
    create_dataset("=mc09")

    answer = client.get("/search", {"q": "=mc", "format": "csv"})

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == "group,name,exact,url,facts"
    assert answer.text.splitlines()[1].startswith("datasets,'=mc09,")


def test_a_search_for_nothing_says_what_can_be_searched_for(client: Client) -> None:
    for q in ("", "   "):
        assert "What can be searched for" in client.get("/search", {"q": q}).text


def test_a_search_in_vain_says_what_helps(client: Client) -> None:
    answer = client.get("/search", {"q": "no such thing"})

    assert answer.status_code == 200
    assert "Nothing is called <q>no such thing</q>" in answer.text


@pytest.mark.parametrize(("query", "words"), [
    ({"q": "x" * 256}, "at most 255 characters"),
    ({"q": "x" * 10_240}, "at most 255 characters"),
    ({"q": "x", "group": "moons"}, "one of jobs, tasks"),
    ({"q": "x", "group": "jobs", "after": "7"}, "must be the `after` of the page"),
    ({"q": "x", "group": "jobs", "after": "1,y"}, "must be the `after` of the page"),
    ({"q": "x", "group": "jobs", "after": f"{10**19},x"}, "must be the `after` of the page"),
    ({"q": "x", "format": "xml"}, "one of html, json, csv"),
    ({"q": "x", "id": "5"}, "is not a known filter"),
])  # fmt: skip
def test_a_bad_query_is_told_its_value_and_its_range(
    client: Client, query: dict[str, str], words: str
) -> None:
    answer = client.get("/search", query)

    assert answer.status_code == 400
    assert words in answer.text
