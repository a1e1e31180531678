"""Texts that jobs and nodes bring are texts on the pages of errors and nodes, too."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from brokerage.models import BannedNode
from jobs.groups import OPERATORS
from jobs.models import Job
from tests.builders import NOW, create_cloud, create_job, create_site, create_user
from tests.monitor.tables import tables
from tests.monitor.test_xss import EACH_ATTACK, Elements

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("monitor.nodes.views", "monitor.errors.acting", "monitor.errors.views"):
        monkeypatch.setattr(f"{module}.database_now", lambda: NOW)


@pytest.fixture
def operator(db: None) -> Client:
    user = create_user("olga")
    user.groups.add(Group.objects.get(name=OPERATORS))
    client = Client()
    client.force_login(user)
    return client


def addresses(client: Client, text: str) -> list[str]:
    """A site whose only failed job has `text` everywhere; the pages that show it."""
    site = create_site(cloud=create_cloud("US"), with_storage=False)
    create_job(
        "failed", site=site, at=NOW, node=text[:128], prod_user_id=text, transformation=text,
        processing_type=text[:64], pilot_error_code=1099, pilot_error_diag=text,
    )  # fmt: skip
    BannedNode.objects.create(site=site, node=text[:128], reason=text, at=NOW)
    here = f"?site={site.name}"
    cluster = tables(client.get(f"/errors/messages/{here}").text)["Messages"][1][2].links[0]
    node = tables(client.get(f"/nodes/{here}").text)["Nodes"][1][0].links[0]
    matrix = tables(client.get(f"/errors/matrix/{here}").text)["Matrix"][1]
    pages = (f"/{name}/{here}" for name in ("errors", "errors/messages", "errors/sites", "nodes"))
    return [*pages, f"/errors/matrix/{here}", cluster, node, matrix[0].links[0]]


def skeleton(client: Client, address: str) -> Elements:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return Elements(answer.text)


@EACH_ATTACK
def test_a_text_adds_no_element_no_script_and_no_address(operator: Client, attack: str) -> None:
    # given
    harmless = [skeleton(operator, page).found for page in addresses(operator, "harmless text")]
    Job.objects.all().delete()
    BannedNode.objects.all().delete()
    # then
    for before, address in zip(harmless, addresses(operator, attack), strict=True):
        page = skeleton(operator, address)
        assert page.found == before, address
        assert all(link.startswith(("/", "#", "?")) for link in page.links), address


@EACH_ATTACK
def test_what_an_action_repeats_is_text(operator: Client, attack: str) -> None:
    site = create_site("BNL")
    form = {"site": site.name, "hours": "24"}
    usual = operator.post("/nodes/ban/", form | {"node": "wn1", "reason": "why"})

    answer = operator.post("/nodes/ban/", form | {"node": attack[:128], "reason": attack[:255]})

    if answer.status_code == 200:
        assert Elements(answer.text).found == Elements(usual.text).found
    else:
        assert answer.status_code == 400  # a direction mark, a line separator
        assert attack not in answer.text
