"""Texts that a job, a user, a site or a log can bring are shown as texts, on every page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from brokerage.models import BannedNode, Downtime, Site
from brokerage.services import set_cloud_status
from datasets.models import Replica, Transfer
from jobs.models import (
    BrokerageDecision,
    JobFile,
    JobOutput,
    Tag,
    Task,
    TaskUsage,
    Usage,
    UsageBook,
    UsageQuota,
)
from monitor.data import tally as physics_tally
from monitor.jobcolumns import COLUMNS
from monitor.models import LinkBlock, LogEvent
from pandasite.base.clock import database_now
from pandasite.base.models import AuditLine, ServerProcess, SweepRun
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_file,
    create_job,
    create_pilot,
    create_site,
    create_storage,
    create_vo,
)
from tests.monitor.addresses import LISTS
from tests.monitor.sums import add_up

pytestmark = pytest.mark.django_db

ATTACKS = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</pre><iframe src=javascript:alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "{{ 7|add:7 }}{% debug %}",
    "${7*7}#{7*7}",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<!--<script>alert(1)</script>-->",
    "]]><script>alert(1)</script>",
    "<img src=\"//evil.example/x.png\">",
    "<base href=\"//evil.example/\">",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><button>x</button></form>",
    "<style>*{display:none}</style>",
    "<x hx-get=/admin/ hx-trigger=load>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u202e<script>alert(1)</script>",
    "<scr\u2028ipt>alert(1)</script>",
    "%3Cscript%3Ealert(1)%3C/script%3E",
]  # fmt: skip
# One of each kind: out of an element, an attribute, a title; a template, an address, odd letters.
OFTEN = {ATTACKS[number] for number in (0, 1, 4, 7, 9, 10, 22)}
EACH_ATTACK = pytest.mark.parametrize(
    "attack", [pytest.param(a, marks=() if a in OFTEN else pytest.mark.long) for a in ATTACKS]
)
LONG_TEXTS = (
    "job_name", "prod_user_id", "transformation", "job_parameters", "node", "pilot_error_diag",
    "exe_error_diag", "prod_d_block", "destination_d_block",
)  # fmt: skip
SHORT_TEXTS = (
    "processing_type", "atlas_release", "cmt_config", "working_group", "homepackage",
)  # fmt: skip
OURS = {
    "script",
    "style",
    "iframe",
    "img",
    "base",
    "form",
    "meta",
    "x",
    "svg",
    "button",
    "textarea",
}


class Elements(HTMLParser):
    """What a page is made of, but for its text: elements and the names of their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in OURS:
            self.found.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        events = [name for name, _ in attrs if name.startswith("on")]
        assert not events, (tag, attrs)


def create_everything(text: str) -> list[str]:
    """One of everything with `text` in all its texts; the addresses that show it."""
    site = create_site("AGLT2", cloud=create_cloud("US"), with_storage=False)
    Site.objects.filter(pk=site.pk).update(
        status="offline", status_reason=text[:255], status_by=text[:150], status_at=NOW
    )
    site.status_changes.create(
        at=NOW, author=text, from_status="online", to_status="offline", reason=text
    )
    BannedNode.objects.create(site=site, node=text, reason=text, at=NOW)
    create_pilot(site, node=text, pilot_id=text[:64], factory=text[:64])
    SweepRun.objects.create(name="jobs.assign", ended_at=NOW, ok=False, error=text, host=text)
    ServerProcess.objects.create(
        host=text, role=text[:16], work=text[:64], pid=1, version=text[:32], started_at=NOW,
        seen_at=NOW,
    )  # fmt: skip
    LinkBlock.objects.create(title=text[:64]).links.create(title=text[:64], url="/help/", note=text)
    set_cloud_status(site.cloud, "offline", author=text[:150], reason=text[:255], now=NOW)
    job = create_evil_job(site, text)
    create_sums(text)
    Tag.objects.create(
        name="evil", transformation=text, job_parameters=text, description=text, made_by=text,
        created_at=NOW,
    )  # fmt: skip
    return [
        "/", "/jobs/", f"/jobs/{job.pk}/", "/sites/AGLT2/", f"/tasks/{job.task_id}/",
        "/datasets/evil/", "/servers/", "/clouds/", "/clouds/US/", "/configuration/?what=sites",
        "/configuration/?what=storage",
        f"/jobs/?columns={','.join(COLUMNS)}", "/jobs/facets?attempt=0..",
        f"/jobs/{job.pk}/why", f"/jobs/{job.pk}/alike", "/what-if/?label=managed",
        f"/users/{quote(text, safe='/')}/", "/tags/evil/", *LISTS,
        "/search?" + urlencode({"q": text[:3]}),
    ]  # fmt: skip


def create_sums(text: str) -> None:
    """What pages of sums show, counted and added up, and a line of the log."""
    Downtime.objects.create(
        site=Site.objects.get(), start=NOW, end=after(days=9999), description=text, author=text
    )
    UsageQuota.objects.create(name=text, cpu_hours=1, note=text)
    LogEvent.objects.create(
        at=database_now(), kind="server", level=40, logger=text[:100], event=text, host=text,
        facts={text: text}, process=1, request_id=text[:64],
    )  # fmt: skip
    now, site = database_now(), Site.objects.get()
    create_pilot(site, node=text, pilot_id=text[1:64], factory=text[:64], last_contact=now)
    for state in ("finished", "activated"):
        create_job(
            state, site=site, at=now, task=Task.objects.get(), prod_user_id=text,
            working_group=text[:64], dispatch_d_block=text, destination_d_block=text,
        )  # fmt: skip
    physics_tally.run(now)
    add_up(now)


def create_evil_job(site: Site, text: str) -> Any:
    owner = get_user_model().objects.create(username=text[:150])
    storage = create_storage(sites=[site])
    dataset = create_dataset("evil")
    verdict = {
        "site": "AGLT2", "accepted": False, "rule": text, "reason": text, "weight": None,
        "held_files": 0, "details": [text],
    }  # fmt: skip
    detail = {
        "site": None, "reason": text, "release_nowhere": False, "verdicts": [verdict],
        "left_out": 0,
    }  # fmt: skip
    texts: dict[str, Any] = dict.fromkeys(LONG_TEXTS, text) | dict.fromkeys(SHORT_TEXTS, text[:64])
    job = create_job(
        "failed",
        site=site,
        owner=owner,
        task=Task.objects.create(name=text, owner=owner, working_group=text[:64], created_at=NOW),
        vo=create_vo(text[:32]),
        decision=BrokerageDecision.objects.create(at=NOW, site="", n_jobs=1, detail=detail),
        **texts,
        prod_source_label=text[:20],
        pilot_error_code=1099,
        exe_error_code=1,
    )  # fmt: skip
    file = create_file(text, scope=text[:64], dataset=dataset, adler32=text[:8])
    Replica.objects.create(file=file, storage=storage, state="bad", reason=text, created_at=NOW)
    Transfer.objects.create(
        file=file, destination=storage, error=text, created_at=NOW, next_try_at=NOW
    )
    JobFile.objects.create(
        job=job, type="log", scope=text[:64], lfn=text, file=file, dataset=dataset
    )
    job.events.create(
        seq=2, attempt_nr=1, from_state="failed", to_state=text[:12], actor=text, at=NOW,
        reason={text: text},
    )  # fmt: skip
    JobOutput.objects.create(job=job, attempt_nr=1, tail=text, at=NOW)
    return job


def skeleton(client: Any, address: str) -> Elements:
    answer = client.get(address)
    assert answer.status_code == 200
    return Elements(answer.content.decode())


@EACH_ATTACK
def test_a_text_adds_no_element_no_script_and_no_address(client: Client, attack: str) -> None:
    # given
    harmless = {a: skeleton(client, a).found for a in create_everything("harmless text")}
    for model in (
        BannedNode, Replica, Transfer, JobOutput, JobFile, BrokerageDecision, Downtime, UsageQuota,
        LogEvent, Usage, TaskUsage, UsageBook,
    ):  # fmt: skip
        model.objects.all().delete()
    addresses = dict(zip(harmless, _evil_twin(attack), strict=True))
    # then
    for before, address in addresses.items():
        page = skeleton(client, address)
        assert page.found == harmless[before], address
        assert all(link.startswith(("/", "#", "?")) for link in page.links), address


def _evil_twin(attack: str) -> list[str]:
    """The same things again with the attack in their texts."""
    from datasets.models import Dataset, DatasetFile, SiteStorage, StorageElement
    from jobs.models import Job, Pilot

    for model in (Job, Tag, Task, Pilot, DatasetFile, Dataset, SiteStorage, StorageElement):
        model._default_manager.all().delete()
    Site.objects.all().delete()
    for model in (SweepRun, ServerProcess, LinkBlock, AuditLine):
        model._default_manager.all().delete()
    return create_everything(attack)


@EACH_ATTACK
def test_a_bad_value_is_repeated_as_text(client: Client, attack: str) -> None:
    # given
    usual = Elements(client.get("/jobs/", {"state": "x"}).content.decode()).found
    # when
    answer = client.get("/jobs/", {"state": attack})
    # then
    assert answer.status_code == 400
    assert Elements(answer.content.decode()).found == usual
