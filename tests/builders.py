"""Plain functions that make rows for tests. Every argument has a default; call for what matters.

`create_vo`, `create_cloud` and `create_user` give the row of that name, made when there is none;
all others make a new row each time. The clock of the tests stands at NOW.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from brokerage.models import VO, Cloud, Downtime, InstalledRelease, Release, Site
from datasets.models import (
    Dataset,
    DatasetFile,
    File,
    Replica,
    SiteStorage,
    StorageElement,
    Transfer,
)
from jobs import archive, lease
from jobs.history import record_birth
from jobs.models import Job, JobFile, Node, Pilot, PilotAccount, Transformation
from jobs.states import FINAL, LEASED, JobState

NOW = dt.datetime(2009, 9, 17, 12, 0, tzinfo=dt.UTC)
LEASE_TOKEN = "lease-of-the-tests"  # every job made with a pilot is held with this one
AT_A_SITE = (*(s for s in JobState if s not in (JobState.DEFINED, JobState.WAITING, *FINAL)),)
# An end leaves no output to be made.
OUTPUT_STATUS = {
    JobState.FINISHED: "ready",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
    JobState.TRANSFERRING: "transferring",
}
GUID = "7c1f2a60-5b8e-4f0a-9d3e-2b6c8a4e1f00"
ADLER32 = "0c2a04f1"

_serial = itertools.count(1)


def after(**span: float) -> dt.datetime:
    """The moment that lies this much after NOW: `after(hours=2)`."""
    return NOW + dt.timedelta(**span)


def create_vo(name: str = "atlas") -> VO:
    return VO.objects.get_or_create(name=name)[0]


def create_cloud(name: str = "US", **fields: Any) -> Cloud:
    return Cloud.objects.get_or_create(name=name, defaults=fields)[0]


def create_user(name: str = "alice", *, production: bool = False) -> Any:
    """A person; with `production` one that may submit production jobs at any priority."""
    user, _made = get_user_model().objects.get_or_create(username=name)
    if production:
        user.user_permissions.add(Permission.objects.get(codename="submit_production"))
    return user


def create_storage(
    name: str = "", *, url: str = "file:///nowhere", sites: Iterable[Site] = (), **fields: Any
) -> StorageElement:
    """A storage element; it is the local one of `sites`."""
    name = name or f"SE{next(_serial)}"
    storage = StorageElement.objects.create(name=name, url=url, **fields)
    for site in sites:
        SiteStorage.objects.create(site=site, storage=storage)
    return storage


def create_site(
    name: str = "",
    *,
    cloud: Cloud | None = None,
    with_storage: bool = True,
    vos: Iterable[VO] = (),
    releases: Iterable[tuple[str, str]] = (),
    **fields: Any,
) -> Site:
    """An online site; its storage element is `<name>_DISK`. Releases as ("Atlas-14.5.0", cmt)."""
    name = name or f"SITE{next(_serial)}"
    site = Site.objects.create(name=name, cloud=cloud or create_cloud(), **fields)
    site.vos.set(vos)
    if with_storage:
        create_storage(f"{name}_DISK", sites=[site])
    for atlas_release, cmt_config in releases:
        install(site, atlas_release, cmt_config)
    return site


def create_downtime(site: Site, **fields: Any) -> Downtime:
    """An outage of the hour from NOW on."""
    given = {"start": NOW, "end": after(hours=1), "description": "cooling"} | fields
    return Downtime.objects.create(site=site, **given)


def manned_site(name: str = "", **fields: Any) -> Site:
    """A site where a pilot was seen at NOW."""
    site = create_site(name, **fields)
    create_pilot(site)
    return site


def install(site: Site, atlas_release: str, cmt_config: str, *, validated: bool = True) -> None:
    """Install a release, written as jobs write it, at a site."""
    project, _, version = atlas_release.partition("-")
    release, _made = Release.objects.get_or_create(
        name=project, version=version, cmt_config=cmt_config
    )
    InstalledRelease.objects.create(site=site, release=release, validated=validated)


def local_storage(site: Site) -> StorageElement:
    return StorageElement.objects.get(site_storages__site=site, site_storages__role="local")


def create_dataset(name: str = "", **fields: Any) -> Dataset:
    name = name or f"mc09.105001.evgen.EVNT.tid{next(_serial):06d}"
    return Dataset.objects.create(
        name=name, **{"created_at": NOW, "state_changed_at": NOW} | fields
    )


def create_file(
    lfn: str = "",
    *,
    at: Iterable[StorageElement] = (),
    dataset: Dataset | None = None,
    **fields: Any,
) -> File:
    """A file of the catalogue with good replicas `at` these storage elements."""
    defaults = {"scope": "mc09", "guid": GUID, "size": 1000, "adler32": ADLER32, "created_at": NOW}
    file = File.objects.create(lfn=lfn or f"EVNT._{next(_serial):05d}.root", **defaults | fields)
    for storage in at:
        create_replica(file, storage)
    if dataset is not None:
        DatasetFile.objects.create(dataset=dataset, file=file)
    return file


def create_replica(file: File, storage: StorageElement, **fields: Any) -> Replica:
    return Replica.objects.create(file=file, storage=storage, **{"created_at": NOW} | fields)


def create_transfer(file: File, destination: StorageElement, **fields: Any) -> Transfer:
    defaults = {"created_at": NOW, "next_try_at": NOW}
    return Transfer.objects.create(file=file, destination=destination, **defaults | fields)


def create_pilot(site: Site, *, node: str = "wn01", **fields: Any) -> Pilot:
    """A pilot that was in contact at NOW, and so was its node."""
    defaults = {"pilot_id": f"p{next(_serial)}", "first_contact": NOW, "last_contact": NOW}
    pilot = Pilot.objects.create(site=site, node=node, **defaults | fields)
    seen, made = Node.objects.get_or_create(site=site, node=node)
    seen.pilots += not made
    seen.last_claim = max(filter(None, [seen.last_claim, pilot.last_contact]))
    seen.last_report = max(filter(None, [seen.last_report, pilot.last_report]), default=None)
    seen.save()
    return pilot


def create_pilot_account(site: Site) -> PilotAccount:
    return PilotAccount.objects.create(user=create_user(f"pilot@{site.name}"), site=site)


def create_transformation(name: str = "evgen.py", **fields: Any) -> Transformation:
    return Transformation.objects.create(name=name, **fields)


def create_job(
    state: str = "defined",
    *,
    site: Site | None = None,
    inputs: Iterable[File] = (),
    outputs: Iterable[str] = (),
    dataset: Dataset | None = None,
    at: dt.datetime = NOW,
    **columns: Any,
) -> Job:
    """A job as if it had been born in `state` at `at`, with one event that says so.

    With a pilot it is in attempt 1, held with LEASE_TOKEN for two hours. `outputs` are LFNs, of
    scope mc09 and `dataset`; an end has the errors that the columns give.
    """
    state = JobState(state)
    if state in AT_A_SITE and site is None:
        site = create_site()
    defaults: dict[str, Any] = {
        "job_name": f"job{next(_serial)}",
        "prod_source_label": "managed",
        "transformation": "evgen.py",
        "computing_site": site,
        "cloud": site.cloud if site else None,
        "creation_time": at,
        "queued_since": at,
        "state_change_time": at,
        "modification_time": at,
        "event_seq": 1,
        "prod_user_id": "alice",
    }
    given = defaults | _columns_of(state, at) | columns
    given.setdefault("vo", create_vo())
    given.setdefault("owner", create_user())
    job = Job.objects.create(state=state, **given)
    record_birth([job], actor="tests", reason={})
    _add_files(job, inputs, outputs, dataset)
    return job


def put_away(*, before: dt.datetime | None = None) -> None:
    """Move every job that has ended (before then) into the archive, as the sweep does."""
    for state in FINAL:
        archive.move(state, before=before or after(days=10_000))


def _columns_of(state: JobState, at: dt.datetime) -> dict[str, Any]:
    """What the database demands of a job in this state."""
    if state in LEASED:
        until = at + dt.timedelta(hours=2)
        return {
            "attempt_nr": 1,
            "lease_sha256": lease.fingerprint(LEASE_TOKEN),
            "lease_until": until,
            "node": "wn01",
            "start_time": at if state == JobState.RUNNING else None,
        }
    if state == JobState.HOLDING:
        held = lease.fingerprint(LEASE_TOKEN)
        return {"attempt_nr": 1, "verdict": "finished", "lease_sha256": held, "report_seq": 1}
    return {"end_time": at} if state in FINAL else {}


def _add_files(
    job: Job, inputs: Iterable[File], outputs: Iterable[str], dataset: Dataset | None
) -> None:
    for file in inputs:
        JobFile.objects.create(
            job=job, type="input", scope=file.scope, lfn=file.lfn, file=file, dataset=dataset
        )
    for lfn in outputs:
        JobFile.objects.create(
            job=job,
            type="output",
            scope="mc09",
            lfn=lfn,
            dataset=dataset,
            status=OUTPUT_STATUS.get(JobState(job.state), "pending"),
        )
