"""Every list and every form of the admin opens, for those who may see it and for nobody else."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.test import Client
from knox.models import AuthToken
from pytest_django import DjangoDbBlocker

from brokerage.models import (
    VO,
    BannedNode,
    Cloud,
    Downtime,
    InstalledRelease,
    Release,
    Site,
    SiteStatusChange,
)
from datasets.models import (
    Activity,
    CallbackNews,
    CallbackTarget,
    ContainerMember,
    Dataset,
    File,
    Link,
    MoverRule,
    Replica,
    StorageCheck,
    StorageElement,
    StorageFinding,
    StorageHealth,
    Subscription,
    Transfer,
)
from jobs import identity
from jobs.groups import OURS, SHIFTERS
from jobs.models import (
    AnyJob,
    AnyJobEvent,
    AnyJobFile,
    BrokerageDecision,
    ErrorCode,
    Job,
    JobOutput,
    Pilot,
    PilotAccount,
    Sandbox,
    Share,
    Tag,
    Task,
    UsageQuota,
)
from jobs.proddb.models import JobDefinition, StateChange, TaskRequest
from monitor.models import LinkBlock
from pandasite.base.models import AuditLine, ServerProcess, SweepRun
from pandasite.identity.models import Identity, OwnSite
from tests import builders as make
from tests.admin.pages import address, logged_in, staff, text
from tests.builders import NOW
from tests.shared import made_once

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
BIG = [AnyJob, AnyJobEvent, AnyJobFile, File, Replica, Transfer, Dataset, AuditLine]
NEVER_DELETED = [
    *BIG,
    Task,
    SweepRun,
    ServerProcess,
    Pilot,
    PilotAccount,
    ErrorCode,
    Share,
    SiteStatusChange,
    Tag,
    TaskRequest,
    JobDefinition,
    StateChange,
]


def rows() -> None:
    """A row in every table of ours, with all that a page can show."""
    make.create_transformation("share/*", description="what everybody may run")
    site = make.create_site("AGLT2", releases=[("Atlas-14.5.0", "x86_64")], vos=[make.create_vo()])
    SiteStatusChange.objects.create(
        site=site, at=NOW, author="alice", from_status="online", to_status="test", reason="new"
    )
    BannedNode.objects.create(site=site, node="wn13", reason="black hole", at=NOW)
    Downtime.objects.create(site=site, start=NOW, end=make.after(hours=1), description="cooling")
    UsageQuota.objects.create(name="alice", cpu_hours=10)
    Sandbox.objects.create(
        name="jobO.x.tar.gz", owner=make.create_user(), size=1, crc32=1, created_at=NOW,
        last_used_at=NOW,
    )  # fmt: skip
    source = make.create_storage("BNL_DISK", capacity_bytes=10**12)
    dataset = make.create_dataset(destination=source)
    file = make.create_file(at=[source], dataset=dataset)
    make.create_transfer(file, make.local_storage(site), error="no route to host")
    Subscription.objects.create(dataset=dataset, storage=source, created_at=NOW)
    target = CallbackTarget.objects.create(name="panda", url="https://panda.example/", secret="s")
    CallbackNews.objects.create(
        target=target, news_id=uuid.uuid4(), body={}, created_at=NOW, next_try_at=NOW
    )
    MoverRule.objects.create(destination=source)
    container = make.create_dataset("all/", type="container")
    ContainerMember.objects.create(container=container, dataset=dataset)
    StorageCheck.objects.create(storage=source, started_at=NOW)
    StorageFinding.objects.create(
        storage=source, kind="dark", path="<b>x", first_seen_at=NOW, last_seen_at=NOW
    )
    Link.objects.create(source=source, destination=make.local_storage(site), success=1.0)
    Activity.objects.create(name="production")
    StorageHealth.objects.create(
        storage=source, ok_at=NOW, error_at=NOW, error="timed out", failing_since=NOW, latency_ms=3
    )
    decision = BrokerageDecision.objects.create(at=NOW, site="AGLT2", n_jobs=1, detail={"a": [1]})
    task = Task.objects.create(name="t", owner=make.create_user(), created_at=NOW)
    failed = make.create_job("failed", pilot_error_code=1099, pilot_error_diag="<b>gone</b>")
    job = make.create_job(
        "running",
        site=site,
        task=task,
        inputs=[file],
        outputs=["HITS.1"],
        dataset=dataset,
        decision=decision,
        pilot=make.create_pilot(site),
        retry_of=failed.pk,
    )
    JobOutput.objects.create(job=job, attempt_nr=1, tail="<script>alert(1)</script>", at=NOW)
    identity.new_pilot_token(site)
    SweepRun.objects.create(name="jobs.assign", started_at=NOW, ended_at=NOW)
    ServerProcess.objects.create(
        host="a", role="web", pid=1, version="1", started_at=NOW, seen_at=NOW
    )
    Tag.objects.create(name="e1", transformation="share/x.py", made_by="alice", created_at=NOW)
    wish = TaskRequest.objects.create(name="mc09.x", owner="carol", vo="atlas", created_at=NOW)
    JobDefinition.objects.create(request_id=wish.pk, name="j", transformation="evgen.py")
    StateChange.objects.create(kind="task", subject_id=wish.pk, state="REFUSED", at=NOW)
    LinkBlock.objects.create(title="Shift").links.create(title="Guide", url="/help/shift/")
    AuditLine.objects.create(at=NOW, actor_name="alice", action="a", subject="s", reason="r")
    alice = make.create_user()
    Identity.objects.create(user=alice, issuer="https://iam/", subject="a1", created_at=NOW)
    OwnSite.objects.create(user=alice, site=site)


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A row of each table, for all tests here."""
    with made_once(rows, django_db_blocker, databases=["default", "proddb"]):
        yield


@pytest.fixture(autouse=True)
def there(made: None, db: None) -> None:
    pass


@pytest.fixture
def superuser() -> Client:
    return logged_in(get_user_model().objects.create_superuser("root"))


@pytest.fixture
def shifter() -> Client:
    return logged_in(staff("shifter", group=SHIFTERS))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_superuser_opens_every_list_form_and_row(model: type[Model], superuser: Client) -> None:
    lists = [superuser.get(address(model, "changelist"), query) for query in ({}, {"q": "zzz"})]
    add = superuser.get(address(model, "add"))
    found = model._default_manager.all()[:2]
    changes = [superuser.get(address(model, "change", row.pk)) for row in found]
    may_add = admin.site._registry[model].has_add_permission(lists[0].wsgi_request)
    assert {page.status_code for page in (*lists, *changes)} == {200}
    assert add.status_code == (200 if may_add else 403)
    for page in (*lists, *changes, *([add] if may_add else [])):
        assert_fit_for_csp(page.content.decode())


def assert_fit_for_csp(page: str) -> None:
    """Neither scripts nor styles in the page itself: our CSP has the browser ignore them."""
    scripts = [tag.split(">")[0] for tag in page.split("<script")[1:]]
    assert all("src=" in tag or "application/json" in tag for tag in scripts)
    assert " style=" not in page and "<style" not in page
    assert " onclick=" not in page and " onchange=" not in page


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_shifter_sees_all_of_ours_and_changes_nothing(
    model: type[Model], shifter: Client
) -> None:
    ours = model._meta.app_label in OURS
    assert shifter.get(address(model, "changelist")).status_code == (200 if ours else 403)
    assert shifter.get(address(model, "add")).status_code == 403
    for row in model._default_manager.all()[:2]:
        page = shifter.get(address(model, "change", row.pk))
        assert page.status_code == (200 if ours else 403)
        assert 'name="_save"' not in page.content.decode()
        assert shifter.post(address(model, "change", row.pk), {}).status_code == 403
        assert shifter.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", NEVER_DELETED, ids=lambda model: model._meta.label)
def test_not_even_a_superuser_deletes_history(model: type[Model], superuser: Client) -> None:
    row = model._default_manager.all()[0]
    answer = superuser.post(address(model, "delete", row.pk), {"post": "yes"})
    listed = superuser.get(address(model, "changelist")).content.decode()
    assert answer.status_code == 403
    assert "delete_selected" not in listed
    assert model._default_manager.filter(pk=row.pk).exists()


def test_a_pilot_and_a_person_without_staff_status_are_kept_out() -> None:
    site = make.create_site()
    for user in (make.create_user("bob"), identity.pilot_account(site).user):
        answer = logged_in(user).get(address(Site, "changelist"))
        assert answer.status_code == 302 and "/login/" in answer["Location"]


def test_a_job_page_shows_its_history_and_what_it_says_is_text(superuser: Client) -> None:
    job = Job.objects.get(state="running")
    page = superuser.get(address(AnyJob, "change", job.pk))
    assert "alert(1)" in text(page) or "&lt;script&gt;alert(1)" in page.content.decode()
    assert "<script>alert(1)</script>" not in page.content.decode()
    assert job.lease_sha256 not in page.content.decode()


def test_a_failed_job_names_its_successor(superuser: Client) -> None:
    failed = Job.objects.get(state="failed")
    page = superuser.get(address(AnyJob, "change", failed.pk)).content.decode()
    successor = Job.objects.get(retry_of=failed.pk)
    assert address(AnyJob, "change", successor.pk) in page


def test_a_number_finds_the_job_of_that_pandaid(superuser: Client) -> None:
    one, other = make.create_job(job_name="one"), make.create_job(job_name="other")
    page = text(superuser.get(address(AnyJob, "changelist"), {"q": f" {one.pk} "}))
    assert "one" in page and other.job_name not in page.replace("another", "")
    assert superuser.get(address(AnyJob, "changelist"), {"q": "9" * 30}).status_code == 200


def test_only_do_not_retry_of_an_error_meaning_can_be_changed(superuser: Client) -> None:
    row = ErrorCode.objects.exclude(do_not_retry=True)[0]
    meaning = row.meaning
    superuser.post(
        address(ErrorCode, "change", row.pk), {"do_not_retry": "on", "meaning": "nonsense"}
    )
    row.refresh_from_db()
    assert row.do_not_retry and row.meaning == meaning
    line = AuditLine.objects.latest("pk")
    assert (line.action, line.reason) == ("retry policy", "do not retry")
    assert line.subject == f"error {row.component} {row.code} ({row.source})"


def test_the_count_of_a_big_table_costs_one_bounded_query(
    superuser: Client, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for _ in range(20):
        make.create_job(site=None)
    with django_assert_max_num_queries(12) as queries:
        superuser.get(address(AnyJob, "changelist"), {"_facets": "True"})
    counts = [q["sql"] for q in queries.captured_queries if "COUNT(" in q["sql"]]
    assert len(counts) == 1 and "LIMIT 10000" in counts[0]


def test_every_table_of_ours_has_a_row_in_these_tests() -> None:
    empty = [m._meta.label for m in MODELS if m._meta.app_label in OURS and not m.objects.exists()]
    assert empty == []
    assert {VO, Cloud, Release, InstalledRelease, StorageElement} <= set(MODELS)
    assert AuthToken in MODELS
