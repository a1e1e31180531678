"""What a pilot may ask for: a job. It knows no HTTP.

`claim` does, in one transaction: 1. hold the idempotency key, or answer again with the job that it
was given (a key that was given none leaves no row: ten thousand idle pilots ask every minute);
2. note the pilot's contact; 3. say no, with the reason, when the site or the node is shut; 4. hand
over the best activated job of the site that fits every fact the pilot gave, under a lease of its
own.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from brokerage.models import BannedNode, Site
from brokerage.policy import Limits
from jobs import lease
from jobs.models import ClaimKey, Job, Pilot, PilotAccount
from jobs.skew import noted_skew
from jobs.states import LEASED
from pandasite.base.errors import Conflict, Unprocessable

_WORDS = Limits()  # which labels and processing types are which, as brokerage has it


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the pilot says of itself. CPU speed in MHz, memory and disk in MB."""

    node: str
    pilot_id: str
    factory: str = ""
    cpu_speed_mhz: int = 0
    memory_mb: int = 0
    free_disk_mb: int = 0
    core_count: int = 1
    releases: tuple[tuple[str, str], ...] = ()  # (AtlasRelease, cmtConfig)
    labels: tuple[str, ...] = ()
    sent_at: dt.datetime | None = None  # the pilot's clock


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """The job of a claim with its lease, or none with the reason and when to ask again (s)."""

    job: Job | None = None
    lease_token: str = ""
    reason: str = ""
    message: str = ""
    retry_after: int = 0
    replayed: bool = False
    facts: dict[str, object] = field(default_factory=dict)


def claim(
    *, account: PilotAccount, facts: Facts, key: str, body_sha256: str, now: dt.datetime
) -> Claimed:
    """One job for this pilot, or the reason why there is none. See the module's steps."""
    site = account.site
    with transaction.atomic():
        _one_at_a_time(account, key)
        earlier = ClaimKey.objects.filter(account=account, key=key).first()
        if earlier is not None:
            return _again(earlier, body_sha256)
        pilot_pk = _contact(site, facts, now)
        refusal = _shut(site, facts)
        if refusal is not None:
            return refusal
        salt = lease.new_salt()
        panda_id = _take(site, facts, pilot_pk=pilot_pk, salt=salt, now=now)
        if panda_id is None:
            return _none("no_job", f"nothing is activated at {site.name} that fits this pilot")
        job = Job.objects.select_related("vo").get(pk=panda_id)
        Pilot.objects.filter(pk=pilot_pk).update(jobs=F("jobs") + 1)
        ClaimKey.objects.create(
            account=account,
            key=key,
            body_sha256=body_sha256,
            salt=salt,
            job_id=panda_id,
            attempt_nr=job.attempt_nr,
            created_at=now,
        )
    return Claimed(job=job, lease_token=lease.token(salt))


def _one_at_a_time(account: PilotAccount, key: str) -> None:
    """A second request with a key that is being answered right now must come again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))", [key, account.pk]
        )
        if not cursor.fetchone()[0]:
            raise Conflict(
                "a request with this idempotency key is being answered",
                code="in_flight",
                retry_after=1,
            )


def _again(earlier: ClaimKey, body_sha256: str) -> Claimed:
    """The same job as the first time, unless its lease is over."""
    if earlier.body_sha256 != body_sha256:
        raise Unprocessable(
            f"the idempotency key {earlier.key} was used for another claim", code="key_reused"
        )
    job = (
        Job.objects.select_related("vo")
        .filter(pk=earlier.job_id or 0, attempt_nr=earlier.attempt_nr or 0, state__in=LEASED)
        .first()
    )
    token = lease.token(earlier.salt)
    if job is None or not lease.matches(token, job.lease_sha256):
        return _none("claim_expired", "the job of this key has moved on: ask with a new key")
    return Claimed(job=job, lease_token=token, replayed=True)


def _none(reason: str, message: str) -> Claimed:
    # Jitter, so that a thousand idle pilots do not come back in the same second.
    pause = settings.PANDASITE["RETRY_AFTER_SECONDS"]
    wait = max(1, round(pause * random.uniform(0.8, 1.2)))
    return Claimed(reason=reason, message=message, retry_after=wait)


def _shut(site: Site, facts: Facts) -> Claimed | None:
    if site.status == Site.Status.OFFLINE:
        why = f": {site.status_reason}" if site.status_reason else ""
        return _none("site_offline", f"{site.name} is offline{why}")
    banned = BannedNode.objects.filter(site=site, node=facts.node).first()
    if banned is not None:
        return _none("node_banned", f"{facts.node} is banned: {banned.reason}")
    return None


_CONTACT = """
INSERT INTO jobs_pilot (site_id, pilot_id, node, factory, cpu_speed_mhz, memory_mb, free_disk_mb,
  first_contact, last_contact, claims, jobs)
VALUES (%(site)s, %(pilot_id)s, %(node)s, %(factory)s, %(cpu_speed_mhz)s, %(memory_mb)s,
  %(free_disk_mb)s, %(now)s, %(now)s, 1, 0)
ON CONFLICT (site_id, pilot_id) DO UPDATE SET node = excluded.node, factory = excluded.factory,
  cpu_speed_mhz = excluded.cpu_speed_mhz, memory_mb = excluded.memory_mb,
  free_disk_mb = excluded.free_disk_mb, last_contact = excluded.last_contact,
  claims = jobs_pilot.claims + 1
RETURNING id
"""


def _contact(site: Site, facts: Facts, now: dt.datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_CONTACT, {**asdict(facts), "site": site.pk, "now": now})
        return int(cursor.fetchone()[0])


# The candidate is materialised: without that the planner may run the inner SELECT once per row
# and take more than one job. SKIP LOCKED lets pilots pass each other; the state is checked again
# by the UPDATE, in the same statement that takes it.
#
# The release is not asked of the pilot where brokerage does not ask the site for it (the rule
# `releases` in brokerage/policy/filters.py): jobs that it let through would wait for ever.
_TAKE = """
WITH here AS MATERIALIZED (
  SELECT NOT c.releases_checked OR NOT EXISTS (
    SELECT 1 FROM brokerage_installedrelease i WHERE i.site_id = s.id) AS unchecked
  FROM brokerage_site s JOIN brokerage_cloud c ON c.id = s.cloud_id WHERE s.id = %(site)s
), candidate AS MATERIALIZED (
  SELECT panda_id FROM jobs_job
  WHERE state = 'activated' AND computing_site_id = %(site)s
    AND prod_source_label = ANY(%(labels)s)
    AND min_ram_count <= %(memory_mb)s AND max_disk_count <= %(free_disk_mb)s
    AND min_cpu_speed <= %(cpu_speed_mhz)s AND core_count <= %(core_count)s
    AND ((atlas_release || '|' || cmt_config) = ANY(%(releases)s)
      OR prod_source_label = ANY(%(install)s)
      OR (processing_type <> ALL(%(reprocessing)s) AND (SELECT unchecked FROM here)))
    AND (%(vos)s::bigint[] IS NULL OR vo_id = ANY(%(vos)s))
    AND command = ''
  ORDER BY current_priority DESC, panda_id
  LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE jobs_job j SET state = 'sent', attempt_nr = attempt_nr + 1, event_seq = event_seq + 1,
    storage_id = (SELECT storage_id FROM datasets_sitestorage
      WHERE site_id = %(site)s AND role = 'local'),
    pilot_id = %(pilot)s, node = %(node)s, lease_sha256 = %(lease)s, lease_until = %(until)s,
    report_seq = 0, verdict = '', state_change_time = %(now)s, modification_time = %(now)s
  FROM candidate c WHERE j.panda_id = c.panda_id AND j.state = 'activated'
  RETURNING j.panda_id, j.attempt_nr, j.event_seq
)
INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
SELECT panda_id, event_seq, attempt_nr, 'activated', 'sent', %(actor)s, %(now)s,
  jsonb_build_object('node', %(node)s::text, 'pilot', %(pilot_name)s::text) || %(noted)s::jsonb
FROM taken RETURNING job_id
"""


def _take(site: Site, facts: Facts, *, pilot_pk: int, salt: str, now: dt.datetime) -> int | None:
    vos = list(site.vos.values_list("pk", flat=True))
    values = {
        **asdict(facts),
        "site": site.pk,
        "labels": list(facts.labels),
        "releases": release_keys(facts.releases),
        "install": sorted(_WORDS.install_labels),
        "reprocessing": sorted(_WORDS.reprocessing_types),
        "vos": vos or None,
        "pilot": pilot_pk,
        "pilot_name": facts.pilot_id,
        "lease": lease.fingerprint(lease.token(salt)),
        "until": now + dt.timedelta(seconds=settings.PANDASITE["SENT_SECONDS"]),
        "now": now,
        "actor": f"pilot {facts.pilot_id}"[:150],
        "noted": json.dumps(noted_skew(facts.sent_at, now)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def release_keys(releases: Iterable[tuple[str, str]]) -> list[str]:
    """All `AtlasRelease|cmtConfig` that a node with these releases can serve.

    A job may leave the platform open, or both; an empty job key fits every node.
    """
    keys = {"|"}
    for release, cmt_config in releases:
        keys |= {f"{release}|{cmt_config}", f"{release}|", f"|{cmt_config}"}
    return sorted(keys)
