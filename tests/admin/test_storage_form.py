"""A storage element's address comes from the admin, and only such as the engine can open."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from datasets.models import StorageElement
from tests import builders as make
from tests.admin.pages import address

pytestmark = pytest.mark.django_db

FORM = {
    "name": "SE",
    "url": "file:///data/se",
    "kind": "disk",
    "capacity_bytes": "1000",
    "site_storages-TOTAL_FORMS": "0",
    "site_storages-INITIAL_FORMS": "0",
}


def add(client: Client, **fields: str) -> Any:
    return client.post(address(StorageElement, "add"), FORM | fields)


def test_a_folder_is_a_good_address(root: Client) -> None:
    assert add(root).status_code == 302
    assert StorageElement.objects.get().url == "file:///data/se"


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        (
            {"url": "gsiftp://se.example.org/"},
            "url",
            "it speaks dav://, davs://, file://, root://, roots://, s3://",
        ),
        ({"url": "gopher://se.example.org/"}, "url", "does not speak gopher://"),
        ({"url": "dav://169.254.169.254/"}, "url", "is no storage element's address"),
        ({"url": "dav://0x7f000001/"}, "url", "is written as a number"),
        ({"url": "dav://2130706433/"}, "url", "is written as a number"),
        ({"url": "davs://ddm:secret@se.example.org/"}, "url", "no user and no password"),
        ({"url": "davs://se.example.org:port/"}, "url", "no usable port"),
        ({"url": "root://169.254.169.254//x"}, "url", "is no storage element's address"),
        ({"url": "roots://ddm:secret@se.example.org//x"}, "url", "no user and no password"),
        ({"url": "root://se.example.org//x?authz=a"}, "url", "holds no ? and no #"),
        ({"url": "dav://se.example.org/x", "kind": "tape"}, "kind", "cannot stage files by dav://"),
        ({"url": "s3://grid", "endpoint": "se.example.org"}, "endpoint", "must be an address"),
        ({"url": "s3://grid", "endpoint": "http://[fe80::1]/"}, "endpoint", "no storage element's"),
        ({"endpoint": "https://s3.example.org"}, "endpoint", "is for s3:// only"),
        ({"url": "s3:///disk"}, "url", "names a bucket"),
        ({"url": "s3://grid", "kind": "tape"}, "kind", "cannot stage files by s3://"),
        ({"secret": "../token"}, "secret", "letters, digits and _ only"),
        ({"max_transfers": "-1"}, "max_transfers", "greater than or equal to 0"),
        ({"url": "http://169.254.169.254/"}, "url", "does not speak http://"),
        ({"url": "memory://x"}, "url", "does not speak memory://"),
        ({"url": "file://data/se"}, "url", "from the root on"),
        ({"url": "file:///data/../etc"}, "url", "must not go up"),
        ({"url": "/data/se"}, "url", "an address such as"),
        ({"url": ""}, "url", "required"),
        ({"capacity_bytes": "-1"}, "capacity_bytes", "must not be negative"),
        ({"capacity_bytes": str(2**63)}, "capacity_bytes", "less than or equal"),
        ({"threshold_gb": "-0.5"}, "threshold_gb", "must not be negative"),
        ({"threshold_gb": "nan"}, "threshold_gb", "number"),
    ],
)
def test_a_bad_value_is_an_error_at_the_field(
    fields: dict[str, str], field: str, message: str, root: Client
) -> None:
    page = add(root, **fields)
    errors = page.context["adminform"].form.errors
    assert errors.keys() == {field} and message in " ".join(errors[field])
    assert not StorageElement.objects.exists()


@pytest.mark.parametrize("url", ["file:///data/tape", "root://se.example.org//tape"])
def test_a_tape_is_where_files_can_be_asked_for(url: str, root: Client) -> None:
    assert add(root, url=url, kind="tape").status_code == 302


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_this_machine_itself_is_a_storage_element_only_where_it_is_allowed(
    host: str, root: Client, settings: Any
) -> None:
    settings.PANDASITE_STORAGE_LOOPBACK = False
    page = add(root, url=f"dav://{host}/")
    [refusal] = page.context["adminform"].form.errors["url"]
    assert "which is no storage element's address" in refusal

    settings.PANDASITE_STORAGE_LOOPBACK = True
    assert add(root, url=f"dav://{host}/").status_code == 302


def test_each_kind_of_storage_has_its_record(root: Client) -> None:
    urls = ["davs://se.example.org/panda", "dav://se.example.org:8080"]
    for nr, url in enumerate(urls):
        assert add(root, name=f"SE{nr}", url=url, secret="SE_USER").status_code == 302
    bucket = {"name": "S3", "url": "s3://grid/disk", "endpoint": "https://s3.example.org"}
    assert add(root, **bucket, max_transfers="3").status_code == 302


def test_a_site_writes_to_one_storage_element_only(root: Client) -> None:
    site = make.create_site("AGLT2")
    rows = {
        "site_storages-TOTAL_FORMS": "1",
        "site_storages-0-site": str(site.pk),
        "site_storages-0-role": "local",
    }
    page = add(root, **rows)
    (formset,) = page.context["inline_admin_formsets"]
    assert "jobs of AGLT2 write to AGLT2_DISK already" in str(formset.formset.errors)
    assert add(root, **rows | {"site_storages-0-role": "read"}).status_code == 302


def test_measured_space_is_not_set_by_hand(root: Client) -> None:
    add(root, free_bytes="5", measured_at_0="2009-01-01", measured_at_1="00:00")
    assert StorageElement.objects.get().free_bytes is None
