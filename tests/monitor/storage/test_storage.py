"""The page of a storage element."""

import pytest

from datasets import findings, health
from datasets.findings import Found
from datasets.models import Link, StageRequest, StorageCheck, StorageElement, Transfer
from tests.builders import (
    NOW,
    after,
    create_file,
    create_site,
    create_storage,
    create_transfer,
    local_storage,
)

pytestmark = pytest.mark.django_db


def facts(client, storage):
    answer = client.get(f"/storage/{storage.name}/", {"format": "json"})
    assert answer.status_code == 200
    return answer.json()


def text(client, storage):
    return " ".join(client.get(f"/storage/{storage.name}/").content.decode().split())


def test_the_page_says_what_it_is_and_never_where_its_secrets_are(client):
    disk = create_storage("BNL", url="davs://se.example.org/", secret="BNL_DDM")

    page = text(client, disk)

    assert "WebDAV over HTTPS" in page and "never measured" in page
    assert "Nothing is on the way." in page and "No copy from or to it" in page
    assert "BNL_DDM" not in page and "BNL_DDM" not in str(facts(client, disk))


def test_it_names_the_sites_that_use_it(client):
    disk = local_storage(create_site("AGLT2"))

    assert facts(client, disk)["sites"] == [{"site": "AGLT2", "role": "local"}]
    assert 'href="/sites/AGLT2/"' in text(client, disk)


def test_a_storage_that_fails_says_since_when_and_with_what_words(client):
    disk = create_storage()
    health.note_answer(disk, error="", seconds=0.25, now=NOW)
    health.note_answer(disk, error="cannot read: timed out", seconds=None, now=after(hours=1))

    found = facts(client, disk)["health"]

    assert found["last_success"] == "2009-09-17T12:00:00Z"
    assert (found["reason"], found["error"]) == ("timed out", "cannot read: timed out")
    assert found["failing_since"] == found["last_error"] == "2009-09-17T13:00:00Z"
    assert found["latency_ms"] == pytest.approx(250)
    assert "<strong>Failing</strong>" in text(client, disk)


def test_what_is_on_the_way_is_counted_by_activity(client):
    disk = create_storage()
    for activity, state in [("user", "queued"), ("user", "copying"), ("production", "queued")]:
        create_transfer(create_file(), disk, activity=activity, state=state)
    create_transfer(create_file(), create_storage())
    StageRequest.objects.create(file=create_file(), storage=disk, created_at=NOW)

    found = facts(client, disk)

    rows = [(w["activity"], w["queued"], w["copying"]) for w in found["waiting"]]
    assert rows == [("production", 1, 0), ("user", 1, 1)]
    assert found["staging"] == 1


def test_the_last_error_of_each_file_is_on_the_page(client):
    disk = create_storage()
    create_transfer(create_file("EVNT.1"), disk, error="no <b>space</b>", reason="no space left")
    Transfer.objects.update(attempts=2)

    [error] = facts(client, disk)["errors"]

    assert (error["file"], error["attempts"]) == ("mc09:EVNT.1", 2)
    assert "no &lt;b&gt;space&lt;/b&gt;" in text(client, disk)


def test_links_say_how_well_copies_went(client):
    here, there = create_storage("HERE"), create_storage("THERE")
    Link.objects.create(
        source=there, destination=here, success=0.5, bytes_per_second=2e6, measured_at=NOW
    )

    [link] = facts(client, here)["incoming"]

    assert (link["storage"], link["success"], link["bytes_per_second"]) == ("THERE", 0.5, 2e6)
    assert facts(client, there)["outgoing"][0]["storage"] == "HERE"
    assert '<td class="n">50</td>' in text(client, here)


def test_a_name_that_nobody_has_is_not_there(client):
    assert client.get("/storage/NOWHERE/").status_code == 404


def test_an_unknown_parameter_is_refused(client):
    assert client.get(f"/storage/{create_storage().name}/", {"x": "1"}).status_code == 400
    assert StorageElement.objects.count() == 1


def found(disk, kind, *paths, now=NOW):
    some = [Found(path=path, size=1000) for path in paths]
    findings.note(disk, kind, some, since=now, now=now)


def test_a_storage_that_was_never_checked_says_so(client):
    disk = create_storage()

    assert "It has not been checked yet." in text(client, disk)
    assert facts(client, disk)["check"]["last_whole_check"] is None


def test_what_checks_have_found_and_nobody_has_dealt_with_is_shown(client):
    disk = create_storage()
    StorageCheck.objects.create(
        storage=disk, started_at=NOW, ended_at=after(hours=1), folders_done=True,
        replicas_done=True,
    )  # fmt: skip
    found(disk, "dark", "mc09/00/11/b", "mc09/00/11/a")
    found(disk, "dark", "mc09/00/11/a", now=after(days=7))
    found(disk, "lost", "mc09/22/33/c")
    found(create_storage("OTHER"), "lost", "mc09/22/33/d")
    findings.resolve(disk.findings.filter(kind="lost"), "asked for again", now=NOW)

    told, page = facts(client, disk)["check"], text(client, disk)

    assert told["last_whole_check"] == "2009-09-17T13:00:00Z" and not told["running"]
    assert (told["dark"]["count"], told["dark"]["met_by_two_checks"]) == (2, 1)
    assert [(one["path"], one["checks"]) for one in told["dark"]["first"]] == [
        ("mc09/00/11/a", 2),
        ("mc09/00/11/b", 1),
    ]
    assert (told["lost"]["count"], told["lost"]["first"]) == (0, [])
    assert "Dark: 2" in page and "mc09/00/11/a" in page and "mc09/22/33" not in page


def test_of_many_findings_a_few_are_shown_and_the_rest_are_counted_up_to_a_bound(
    client, monkeypatch
):
    disk = create_storage()
    monkeypatch.setattr("monitor.storage.findings.COUNTED", 30)
    StorageCheck.objects.create(storage=disk, started_at=NOW, error="cannot list: timed out")
    found(disk, "lost", *(f"mc09/00/11/{number:03}" for number in range(40)))

    told, page = facts(client, disk)["check"]["lost"], text(client, disk)

    assert (told["count"], told["more"], len(told["first"])) == (30, True, 20)
    assert "Lost: 30 and more" in page and "cannot list: timed out" in page


def test_a_whole_check_that_left_nothing_open_says_so(client):
    disk = create_storage()
    StorageCheck.objects.create(
        storage=disk, started_at=NOW, ended_at=NOW, folders_done=True, replicas_done=True
    )

    assert "Nothing is open: no file is lost, none is dark." in text(client, disk)
