"""Queue and storage data as pilots read them, before they have a token."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.builders import create_cloud, create_site, create_storage
from tests.panda.calls import get, token, told

pytestmark = pytest.mark.django_db
# Without these a pilot 3.7 leaves or breaks off: it was tried.
NEEDED = {
    "nickname", "panda_resource", "state", "status", "atlas_site", "gstat", "copytools",
    "acopytools", "astorages", "maxwdir", "timefloor", "corecount", "catchall", "params",
}  # fmt: skip


def test_a_queue_has_all_that_a_pilot_wants():
    site = create_site("LOCAL_Q1", max_core_count=8, memory_mb=16_000, scratch_mb=50_000)

    queue = told(get("/cache/schedconfig/LOCAL_Q1.all.json"))

    assert queue.keys() >= NEEDED
    assert (queue["nickname"], queue["state"], queue["status"]) == (site.name, "ACTIVE", "online")
    assert (queue["corecount"], queue["maxrss"], queue["maxwdir"]) == (8, 16_000, 50_000)
    assert queue["copytools"] == {"mv": {"setup": ""}}
    assert queue["acopytools"]["pr"] == queue["acopytools"]["pw"] == ["mv"]
    assert queue["astorages"]["pr"] == queue["astorages"]["pw"] == ["LOCAL_Q1_DISK"]
    assert queue["params"] == {"internet_protocol_version": "IPv4"}


def test_a_queue_is_there_by_its_name_as_well():
    create_site("LOCAL_Q1")
    create_site("LOCAL_Q2")

    assert set(told(get("/cache/schedconfig/LOCAL_Q1.json"))) == {"LOCAL_Q1"}
    assert set(told(get("/cache/schedconfig/schedconfig.json"))) == {"LOCAL_Q1", "LOCAL_Q2"}


def test_a_queue_that_nobody_knows_is_not_found():
    answer = get("/cache/schedconfig/ATLANTIS.all.json")

    assert answer.status_code == 404
    assert answer.json()["message"] == "there is no queue ATLANTIS"


def test_what_is_read_is_not_written():
    client = Client()

    for path in ("/cache/ddmendpoints.json", "/cache/schedconfig/LOCAL_Q1.all.json"):
        assert client.post(path).status_code == 405


def test_a_queue_that_takes_no_jobs_says_so_and_its_pilot_still_asks_why():
    create_site("LOCAL_Q1", status="offline")

    queue = told(get("/cache/schedconfig/LOCAL_Q1.all.json"))

    assert (queue["state"], queue["status"]) == ("ACTIVE", "offline")


def test_what_is_only_read_is_not_written_to():
    site = create_site("LOCAL_Q1")
    archive = create_storage("TAPE", url="root://xrd.example.org:1094//data")
    archive.site_storages.create(site=site, role="read")

    queue = told(get("/cache/schedconfig/LOCAL_Q1.all.json"))

    assert queue["astorages"]["pr"] == ["LOCAL_Q1_DISK", "TAPE"]
    assert queue["astorages"]["pw"] == ["LOCAL_Q1_DISK"]
    assert queue["acopytools"]["pr"] == ["mv", "xrdcp"]


@pytest.mark.parametrize(
    ("url", "endpoint", "path"),
    [
        ("file:///data/se", "file://localhost", "/data/se/"),
        ("davs://se.example.org:8443/atlas/", "davs://se.example.org:8443", "/atlas/"),
        ("root://xrd.example.org//eos/x", "root://xrd.example.org", "//eos/x/"),
        ("https://me:secret@se.example.org/x", "https://se.example.org", "/x/"),
    ],
)
def test_an_address_is_told_in_two_parts_and_without_a_password(url, endpoint, path):
    create_storage("DISK", url=url)

    answer = get("/cache/ddmendpoints.json")

    (protocol,) = told(answer)["DISK"]["arprotocols"]["read_lan"]
    assert (protocol["endpoint"], protocol["path"]) == (endpoint, path)
    assert b"secret" not in answer.content


def test_a_storage_element_has_what_a_pilot_wants():
    create_site("LOCAL_Q1")

    disk = told(get("/cache/ddmendpoints.json"))["LOCAL_Q1_DISK"]

    assert (disk["state"], disk["site"], disk["is_deterministic"]) == ("ACTIVE", "LOCAL_Q1", True)
    assert set(disk["arprotocols"]) >= {
        "read_lan",
        "read_wan",
        "write_lan",
        "write_wan",
        "pr",
        "pw",
    }


def test_v1_has_the_same_of_all_sites_and_of_a_kind():
    by = token()
    create_site("LOCAL_Q1", cloud=create_cloud("LOCAL"), type="analysis")

    chosen = told(get("/api/v1/metaconfig/get_site_specs", {"type": "analysis"}, by=by))["data"]
    refused = get("/api/v1/metaconfig/get_site_specs", {"type": "x"}, by=by)

    assert list(chosen) == ["LOCAL_Q1"]
    assert chosen["LOCAL_Q1"] == told(get("/cache/schedconfig/LOCAL_Q1.all.json"))
    assert refused.status_code == 400
