"""POST /rest/v1/pilot/claim: what a pilot is told of the storage of its files."""

import pytest

from tests.api.calls import CLAIM, POSTS, SITE, pilot, send, the_site
from tests.builders import create_file, create_job, create_site, create_storage, local_storage

pytestmark = pytest.mark.django_db


def ask():
    return send(pilot(), POSTS[0], CLAIM, HTTP_IDEMPOTENCY_KEY="k1")


def test_at_a_site_with_s3_each_file_has_an_address_that_is_signed_for_it(monkeypatch):
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_GRID", "key-id:canary-key")
    site = the_site()
    disk = local_storage(site)
    type(disk).objects.filter(pk=disk.pk).update(
        url="s3://grid/disk", endpoint="http://192.0.2.7:9000", secret="GRID"
    )
    create_job("activated", site=site, inputs=[create_file("EVNT.1")], outputs=["HITS.1"])

    answer = ask()

    job = answer.json()["job"]
    for file in (*job["input_files"], *job["output_files"], job["log_file"]):
        assert file["url"].startswith(f"http://192.0.2.7:9000/grid/disk/{file['path']}?")
        assert "Signature=" in file["url"]
    assert "canary" not in answer.content.decode()


def test_a_site_whose_s3_has_no_secret_here_gets_its_job_without_addresses():
    site = the_site()
    disk = local_storage(site)
    type(disk).objects.filter(pk=disk.pk).update(url="s3://grid", secret="NOBODY")
    create_job("activated", site=site, outputs=["HITS.1"])

    job = ask().json()["job"]

    assert "url" not in job["output_files"][0] and job["storage"]["url"] == "s3://grid"


def test_a_storage_of_another_site_is_not_told():
    create_storage("MWT2_DISK", sites=[create_site("MWT2_UC", with_storage=False)])
    create_job("activated", site=the_site())

    assert ask().json()["job"]["storage"]["name"] == f"{SITE}_DISK"
