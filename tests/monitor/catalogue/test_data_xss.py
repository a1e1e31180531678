"""Texts that datasets, files and errors bring are texts on the pages of data, too."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from datasets import flowsums, services, sums
from datasets.models import Dataset, DatasetCategory, File, Subscription, Transfer, TransferFailure
from monitor.catalogue.models import DataRequest
from tests.builders import (
    NOW,
    after,
    create_dataset,
    create_file,
    create_replica,
    create_storage,
    create_transfer,
)
from tests.monitor.test_xss import EACH_ATTACK, Elements

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ddm.views", "catalogue.views", "catalogue.wantviews"):
        monkeypatch.setattr(f"monitor.{name}.database_now", lambda: NOW)


def addresses(text: str) -> list[str]:
    """Data with `text` wherever somebody else writes; the pages that show it."""
    home = create_storage("HOME", capacity_bytes=10, free_bytes=1, measured_at=NOW)
    away = create_storage("AWAY")
    dataset = create_dataset(text, metadata={text: text}, scope=text[:64], data_type="AOD")
    file = create_file(text, scope=text[:64], dataset=dataset, at=[home])
    create_replica(file, away, state="bad", reason=text)
    more = {"error": text, "reason": text[:32], "activity": text[:32], "vo": text[:64]}
    create_transfer(file, away, created_at=after(hours=-30), **more)
    create_transfer(create_file(), away, state="failed", source=home, ended_at=NOW, **more)
    wish = Subscription.objects.create(
        dataset=dataset, storage=away, activity=text[:32], created_at=after(hours=-30)
    )
    DataRequest.objects.create(
        dataset=dataset, storage=away, subscription=wish, user_name=text[:150], reason=text[:255],
        created_at=NOW,
    )  # fmt: skip
    block = create_dataset(f"{text}_dis", type="dispatch", state="frozen", destination=away)
    block.members.create(file=file)
    services.abort_datasets([dataset.pk], reason=text, now=NOW)
    Subscription.objects.update(state="open", done_at=None)
    DatasetCategory.objects.update(description=text[:255])
    sums.run(NOW)
    Dataset.objects.filter(pk=dataset.pk).update(data_type="AOD")
    flowsums.run(NOW)
    named = [("dataset", [text]), ("file", [text[:64], text])]
    return [
        "/datasets/", "/aods/", "/new-datasets/", "/aborted-datasets/", "/subscriptions/",
        "/open-blocks/", "/ddm-requests/", "/ddm/", "/ddm/errors/", "/ddm/stuck/", "/ddm/space/",
        *(found for page, args in named if (found := _address(page, args))),
    ]  # fmt: skip


def _address(page: str, args: list[str]) -> str:
    try:
        return reverse(f"monitor:{page}", args=args)
    except NoReverseMatch:  # a name with a slash is no file's
        return ""


def forget() -> None:
    for model in (DataRequest, Subscription, Transfer, TransferFailure, Dataset, File):
        model.objects.all().delete()
    for storage in ("HOME", "AWAY"):
        sums.Replica.objects.all().delete()
        services.StorageElement.objects.filter(name=storage).delete()


def skeleton(client: Client, address: str) -> Elements:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return Elements(answer.text)


Harmless = dict[str, list[tuple[str, tuple[str, ...]]]]


@pytest.fixture(scope="module")
def seen() -> Harmless:
    """What the pages are made of with a harmless text, looked at once."""
    return {}


@EACH_ATTACK
def test_a_text_adds_no_element_no_script_and_no_address(
    client: Client, seen: Harmless, attack: str
) -> None:
    # given
    if not seen:
        seen |= {page: skeleton(client, page).found for page in addresses("harmless.text")}
        forget()
    # then
    for address in addresses(attack):
        page = skeleton(client, address)
        assert all(link.startswith(("/", "#", "?")) for link in page.links), address
        if address in seen and "/" not in attack:
            assert page.found == seen[address], address
