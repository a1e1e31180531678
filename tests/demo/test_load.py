"""The demo's grid, accounts and archive in the tables."""

import datetime as dt
import zlib
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from knox.models import AuthToken

from brokerage import services as brokerage
from brokerage.models import Cloud, InstalledRelease, Site
from datasets.models import Dataset, Replica, StorageElement
from datasets.storage import checksum, path_of
from jobs.models import PilotAccount, Transformation
from pandasite.demo import accounts, archive
from pandasite.demo.grid import CLOUDS, SITES, DemoFolder, site_named
from pandasite.demo.load import load_grid, load_transformations
from pandasite.demo.productions import productions
from pandasite.demo.wave import Wave, archive_dataset, sound_file, tampered_file
from tests.api.calls import client

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> DemoFolder:
    """A data folder whose grid is loaded."""
    folder = DemoFolder(tmp_path)
    load_grid(folder, now=NOW)
    return folder


def test_the_grid_has_its_sites_clouds_and_tier_1s(folder: DemoFolder) -> None:
    assert set(Site.objects.values_list("name", flat=True)) == {place.name for place in SITES}
    assert dict(Cloud.objects.values_list("name", "tier1__name")) == {
        region.name: region.tier1 for region in CLOUDS
    }


def test_each_site_has_one_storage_with_measured_space(folder: DemoFolder) -> None:
    for place in SITES:
        storage = StorageElement.objects.get(sites__name=place.name)
        assert storage.free_gb == place.capacity_gb
        assert Path(storage.url.removeprefix("file://")).is_dir()


def test_loading_again_changes_nothing(folder: DemoFolder) -> None:
    tables = (Site, Cloud, InstalledRelease, StorageElement)
    before = [table.objects.count() for table in tables]

    load_grid(folder, now=NOW)

    assert [table.objects.count() for table in tables] == before


def test_what_an_administrator_set_survives_a_restart(folder: DemoFolder) -> None:
    site = Site.objects.get(name="AGLT2")
    brokerage.set_site_status(site, "offline", author="alice", reason="cooling", now=NOW)
    Site.objects.filter(name="AGLT2").update(memory_mb=1234)

    load_grid(folder, now=NOW)

    site.refresh_from_db()
    assert (site.status, site.status_reason, site.memory_mb) == ("offline", "cooling", 1234)


def test_storage_follows_a_data_folder_that_moved(folder: DemoFolder, tmp_path: Path) -> None:
    moved = DemoFolder(tmp_path / "elsewhere")

    load_grid(moved, now=NOW)

    url = StorageElement.objects.get(name="LPC_DATADISK").url
    assert url == moved.storage_url(site_named("LPC"))


def test_a_pilot_account_is_bound_to_its_site_and_cannot_log_in(folder: DemoFolder) -> None:
    accounts.pilot_token(site_named("SFU"))

    bound = PilotAccount.objects.get()
    assert bound.site.name == "SFU"
    assert not bound.user.has_usable_password()


def test_a_new_token_ends_the_old_one_and_is_stored_hashed(folder: DemoFolder) -> None:
    first, second = (accounts.manager_token() for _ in range(2))

    [row] = AuthToken.objects.filter(user__username=accounts.MANAGER)
    assert first != second
    assert second not in (row.digest, row.token_key)


def test_the_manager_may_submit_production(folder: DemoFolder) -> None:
    accounts.manager_token()

    manager = get_user_model().objects.get(username=accounts.MANAGER)
    assert manager.has_perm("jobs.submit_production")
    assert not manager.is_staff


def test_only_the_owner_reads_a_token_file(folder: DemoFolder) -> None:
    path = accounts.write_token(folder, site_named("LPC"), "secret")

    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_archive_has_a_sound_and_a_tampered_file(folder: DemoFolder) -> None:
    wave, content = Wave(number=1), b"events" * 50
    sample = folder.root / "archive" / "sample.npz"
    sample.parent.mkdir(parents=True)
    sample.write_bytes(content)

    for _ in range(2):
        archive.prepare(folder, wave, now=NOW)

    url = folder.storage_url(archive.PLACE)
    sums = {
        lfn: checksum(url, path_of(archive.ARCHIVE_SCOPE, lfn))
        for lfn in (sound_file(wave), tampered_file(wave))
    }
    registered = f"{zlib.adler32(content):08x}"
    dataset = Dataset.objects.get(name=archive_dataset(wave))
    assert {f.adler32 for f in dataset.files.all()} == {registered}
    assert sums[sound_file(wave)].adler32 == registered
    assert sums[tampered_file(wave)].adler32 != registered
    assert sums[tampered_file(wave)].size == len(content)
    assert Replica.objects.count() == 2


def test_the_catalogue_knows_the_programs_of_the_demo_and_what_was_changed_stays() -> None:
    # given
    load_transformations()
    Transformation.objects.filter(name="evgen.py").update(description="ours")
    # when
    load_transformations()
    # then
    names = set(Transformation.objects.values_list("name", flat=True))
    used = {
        job.submission["transformation"]
        for production in productions(Wave(number=1))
        for job in production.jobs
    }
    assert names == used | {"sleep.py"}  # that of a replayed log
    assert Transformation.objects.get(name="evgen.py").description == "ours"


def test_the_manager_may_submit_all_that_the_demo_submits(folder: DemoFolder) -> None:
    # given
    load_transformations()
    manager = client(accounts.manager_token())
    for production in productions(Wave(number=1)):
        # when
        answer = manager.post("/rest/v1/jobs", production.body())
        # then
        assert answer.status_code == 201, answer.content
