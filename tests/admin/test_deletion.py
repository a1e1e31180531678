"""What other rows need is not deleted; the page says what is in the way, and how many."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken

from brokerage.models import VO, Cloud, Site
from datasets.models import StorageElement
from jobs import identity
from tests import builders as make
from tests.admin.pages import address, text

pytestmark = pytest.mark.django_db

SURE = {"post": "yes"}


def test_a_site_with_jobs_is_refused_with_their_number(root: Client) -> None:
    site = make.create_site("AGLT2")
    for _ in range(3):
        make.create_job("activated", site=site)
    for page in (
        root.get(address(Site, "delete", site.pk)),
        root.post(address(Site, "delete", site.pk), SURE),
    ):
        assert page.status_code == 409
        assert "3 jobs (computing site)" in text(page)
        assert "Set it offline instead" in text(page)
    assert Site.objects.filter(pk=site.pk).exists()


def test_to_refuse_loads_no_job(root: Client) -> None:
    site = make.create_site("AGLT2")
    make.create_job("activated", site=site)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        root.get(address(Site, "delete", site.pk))
    of_jobs = [q["sql"] for q in queries.captured_queries if 'FROM "jobs_anyjob"' in q["sql"]]
    assert of_jobs and all("COUNT(" in sql for sql in of_jobs)


def test_the_action_on_several_sites_is_refused_too(root: Client) -> None:
    site, empty = make.create_site("AGLT2"), make.create_site("EMPTY")
    make.create_job("activated", site=site)
    chosen = {"action": "delete_selected", "_selected_action": [site.pk, empty.pk]}
    for page in (
        root.post(address(Site, "changelist"), chosen | {"index": "0"}),
        root.post(address(Site, "changelist"), chosen | SURE),
    ):
        assert page.status_code == 409
        assert "1 job (computing site)" in text(page)
    assert Site.objects.count() == 2


def test_a_site_without_jobs_goes_and_its_history_with_it(root: Client) -> None:
    site = make.create_site("AGLT2", releases=[("Atlas-14.5.0", "x86_64")])
    make.create_pilot(site)
    site.status_changes.create(at=make.NOW, author="a", from_status="", to_status="test")
    assert root.get(address(Site, "delete", site.pk)).status_code == 200
    assert root.post(address(Site, "delete", site.pk), SURE).status_code == 302
    assert not Site.objects.exists()


def test_with_its_site_a_pilot_account_loses_its_tokens_and_is_nobody(root: Client) -> None:
    site = make.create_site("AGLT2")
    identity.new_pilot_token(site)
    user = identity.pilot_account(site).user
    root.post(address(Site, "delete", site.pk), SURE)
    user.refresh_from_db()
    assert not user.is_active
    assert not AuthToken.objects.filter(user=user).exists()


def test_a_new_site_of_an_old_name_has_working_pilots_again(root: Client) -> None:
    site = make.create_site("AGLT2")
    identity.new_pilot_token(site)
    root.post(address(Site, "delete", site.pk), SURE)
    identity.new_pilot_token(make.create_site("AGLT2", with_storage=False))
    assert get_user_model().objects.get(username="pilot@AGLT2").is_active


@pytest.mark.parametrize("model", [Cloud, VO, StorageElement])
def test_what_a_site_or_a_job_needs_stays(model: Any, root: Client) -> None:
    make.create_job("activated", site=make.create_site())
    row = model.objects.all()[0]
    page = root.post(address(model, "delete", row.pk), SURE)
    assert page.status_code == 409
    assert model.objects.filter(pk=row.pk).exists()


def test_a_user_with_jobs_stays(root: Client) -> None:
    owner = make.create_job().owner
    page = root.post(address(get_user_model(), "delete", owner.pk), SURE)
    assert page.status_code == 409 and "1 job (owner)" in text(page)
