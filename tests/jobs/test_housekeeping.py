"""What is forgotten when nobody needs it any more."""

import pytest

from datasets.models import Transfer
from jobs import closing, counts
from jobs.models import BrokerageDecision, ClaimKey, Job, Pilot, SubmitKey
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_pilot,
    create_pilot_account,
    create_site,
    create_storage,
    create_transfer,
    create_user,
)

pytestmark = pytest.mark.django_db


def test_keys_are_kept_for_a_day():
    account = create_pilot_account(create_site())
    ClaimKey.objects.create(account=account, key="k", body_sha256="", salt="", created_at=NOW)
    SubmitKey.objects.create(owner=create_user(), key="k", body_sha256="", created_at=NOW)

    assert closing.housekeep(after(hours=23)) == 0
    assert closing.housekeep(after(hours=25)) == 2


def test_pilots_are_forgotten_after_a_month_of_silence():
    site = create_site()
    create_pilot(site)
    heard = create_pilot(site, last_contact=after(days=5))

    assert closing.housekeep(after(days=30)) == 0
    assert closing.housekeep(after(days=31)) == 1

    assert Pilot.objects.get() == heard


def test_a_pilot_is_kept_for_as_long_as_a_lease_may_last(settings):
    settings.PANDASITE = settings.PANDASITE | {"PILOT_DAYS": 1, "LEASE_SECONDS": 3 * 86_400}
    site = create_site()
    create_job("running", site=site, pilot=create_pilot(site))

    closing.housekeep(after(days=3))
    assert Pilot.objects.exists()

    closing.housekeep(after(days=4))
    assert not Pilot.objects.exists()


def test_a_job_outlives_its_pilot():
    site = create_site()
    job = create_job("finished", site=site, pilot=create_pilot(site))

    closing.housekeep(after(days=31))

    assert not Pilot.objects.exists()
    assert Job.objects.select_related("pilot").get(pk=job.pk).pilot is None


def test_all_batches_of_silent_pilots_are_forgotten(monkeypatch):
    monkeypatch.setattr(closing, "BATCH", 2)
    site = create_site()
    for _ in range(5):
        create_pilot(site)

    assert closing.housekeep(after(days=31)) == 6  # and their node


def test_hours_that_no_page_shows_are_merged():
    create_job("finished")
    counts.fold()

    assert closing.housekeep(after(days=30)) == 0
    assert closing.housekeep(after(days=32)) == 1


def test_failed_transfers_are_forgotten_after_a_week_and_others_after_three_months(monkeypatch):
    monkeypatch.setattr(closing, "BATCH", 2)
    storage = create_storage()
    for _ in range(5):
        create_transfer(create_file(), storage, state="failed", ended_at=NOW, error="down")
    done = create_transfer(create_file(), storage, state="done", ended_at=NOW)

    assert closing.housekeep(after(days=7)) == 0
    assert closing.housekeep(after(days=8)) == 5
    assert Transfer.objects.get() == done
    closing.housekeep(after(days=91))
    assert not Transfer.objects.exists()


def test_of_the_failed_tries_of_a_file_the_latest_is_kept():
    file, storage = create_file(), create_storage()
    for _ in range(3):
        latest = create_transfer(file, storage, state="failed", ended_at=NOW, error="down")

    assert closing.housekeep(after(hours=23)) == 0
    assert closing.housekeep(after(hours=25)) == 2
    assert Transfer.objects.get() == latest


def test_decisions_are_kept_while_a_job_shows_them():
    shown, unseen = (
        BrokerageDecision.objects.create(at=NOW, site="", n_jobs=1, detail={}) for _ in range(2)
    )
    job = create_job(decision=shown)

    assert closing.housekeep(after(days=2)) == 0
    assert closing.housekeep(after(days=4)) == 1

    assert BrokerageDecision.objects.get() == shown != unseen
    assert Job.objects.get().pk == job.pk
