"""/rest/v1/ddm/callbacks: signed, in any order, any number of times; only the sweep activates."""

from __future__ import annotations

import random

import pytest

from datasets.models import ReceivedNews, Replica, Subscription, Transfer
from jobs import activate
from jobs.models import Job
from pandasite.base.clock import database_now
from tests.api.calls import problem
from tests.api.news import OLD_SECRET, SECRET, SECRETS, arrived, failed, outcomes, tell
from tests.builders import (
    NOW,
    create_dataset,
    create_file,
    create_job,
    create_site,
    create_storage,
    create_transfer,
    local_storage,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.PANDASITE_DDM_SECRETS = SECRETS


def test_a_file_that_arrived_is_recorded_and_the_sweep_activates_its_job():
    # given
    site = create_site()
    here, file = local_storage(site), create_file()
    job = create_job("assigned", site=site, inputs=[file])
    transfer = create_transfer(file, here, carrier="ddm")
    # when
    answer = tell(arrived("n1", file, here))
    # then
    assert outcomes(answer) == ["recorded"]
    transfer.refresh_from_db()
    assert (transfer.state, transfer.bytes_moved) == ("done", file.size)
    assert Job.objects.get(pk=job.pk).state == "assigned"
    activate.run(database_now())
    assert Job.objects.get(pk=job.pk).state == "activated"


def test_a_dataset_that_arrived_brings_all_its_files_and_closes_its_subscription():
    here, dataset = create_storage(), create_dataset()
    files = [create_file(dataset=dataset) for _ in range(3)]
    wish = Subscription.objects.create(dataset=dataset, storage=here, created_at=NOW)

    answer = tell(
        {"id": "d", "kind": "dataset_arrived", "dataset": dataset.name, "storage": here.name}
    )

    assert outcomes(answer) == ["recorded"]
    assert Replica.objects.filter(storage=here, file__in=files, state="available").count() == 3
    wish.refresh_from_db()
    assert wish.state == "done"


def test_a_failure_ends_the_transfer_with_the_reason_of_the_other_side():
    here, file = create_storage(), create_file()
    transfer = create_transfer(file, here, carrier="ddm")

    assert outcomes(tell(failed("f", file, here, permanent=True))) == ["recorded"]

    transfer.refresh_from_db()
    assert (transfer.state, transfer.permanent) == ("failed", True)
    assert "no route to host" in transfer.error


def test_a_job_waits_for_a_file_and_fails_with_the_reason_when_it_will_never_come():
    # given
    site = create_site()
    here, file = local_storage(site), create_file()
    job = create_job("assigned", site=site, inputs=[file], at=database_now())
    create_transfer(file, here, carrier="ddm")
    # when: a failure that may pass, then one for good
    tell(failed("f1", file, here))
    activate.run(database_now())
    waits = Job.objects.get(pk=job.pk).state
    tell(failed("f2", file, here, reason="all tapes are lost", permanent=True))
    activate.run(database_now())
    # then
    job.refresh_from_db()
    assert (waits, job.state, job.ddm_error_code) == ("assigned", "failed", 100)
    assert "all tapes are lost" in job.ddm_error_diag


def test_a_failure_that_comes_after_the_arrival_is_ignored():
    here, file = create_storage(), create_file()
    tell(arrived("a", file, here))

    answer = tell(failed("f", file, here))

    assert outcomes(answer) == ["ignored"]
    assert Replica.objects.get(file=file, storage=here).state == "available"


def test_the_same_news_again_change_nothing_though_the_replica_has_gone_bad():
    here, file = create_storage(), create_file()
    tell(arrived("a", file, here))
    Replica.objects.update(state="bad")

    assert outcomes(tell(arrived("a", file, here), arrived("a", file, here))) == [
        "replayed",
        "replayed",
    ]
    assert Replica.objects.get(file=file, storage=here).state == "bad"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        pytest.param({"lfn": "nobody.knows.it"}, 404, "not_found", id="unknown file"),
        pytest.param({"storage": "NOWHERE"}, 404, "not_found", id="unknown storage"),
        pytest.param({"size": 1}, 422, "wrong_content", id="other size"),
        pytest.param({"adler32": "00000001"}, 422, "wrong_content", id="other checksum"),
        pytest.param({"kind": "gone"}, 400, "unknown_kind", id="unknown kind"),
        pytest.param({"lfn": "../x"}, 400, "bad_lfn", id="a path"),
    ],
)
def test_one_wrong_news_is_refused_with_its_own_status_and_may_come_again(change, status, code):
    here, file = create_storage(), create_file()

    problem(tell(arrived("n", file, here) | change), status, code)

    assert not Replica.objects.exists()
    assert outcomes(tell(arrived("n", file, here))) == ["recorded"]


def test_of_many_news_the_wrong_ones_stop_no_other():
    here, file = create_storage(), create_file()

    answer = tell(arrived("1", file, here, size=1), arrived("2", file, here))

    assert answer.status_code == 207
    assert outcomes(answer) == ["wrong_content", "recorded"]


@pytest.mark.parametrize(
    ("signed", "code"),
    [
        pytest.param({"secret": "x" * 40}, "bad_signature", id="another secret"),
        pytest.param({"sender": "nobody"}, "bad_signature", id="unknown sender"),
        pytest.param({"signature": ""}, "bad_signature", id="none"),
        pytest.param({"signature": "sha256=é"}, "bad_signature", id="no text"),
        pytest.param({"time": 1_000_000_000}, "old_signature", id="an old time"),
    ],
)
def test_news_without_a_signature_that_holds_are_refused(signed, code):
    here, file = create_storage(), create_file()

    problem(tell(arrived("n", file, here), **signed), 403, code)

    assert not Replica.objects.exists()
    assert not ReceivedNews.objects.exists()


def test_a_signature_is_for_one_body():
    here, file = create_storage(), create_file()
    good = tell(arrived("n", file, here)).request["HTTP_X_DDM_SIGNATURE"]

    problem(tell(arrived("m", file, here), signature=good), 403, "bad_signature")


def test_the_secret_before_the_last_still_holds_while_it_is_exchanged():
    here, file = create_storage(), create_file()

    assert outcomes(tell(arrived("n", file, here), secret=OLD_SECRET)) == ["recorded"]


@pytest.mark.parametrize("number", [500, pytest.param(5000, marks=pytest.mark.long)])
def test_shuffled_repeated_and_forged_news_of_many_files_end_in_the_right_state(number):
    # given: files under way; one in ten is said to have failed as well
    here = create_storage()
    files = [create_file() for _ in range(50)]
    others = [create_storage() for _ in range(number // 50 - 1)]
    pairs = [(file, se) for se in [here, *others] for file in files]
    under_way = [
        Transfer(file=file, destination=se, created_at=NOW, next_try_at=NOW, carrier="ddm")
        for file, se in pairs
    ]
    Transfer.objects.bulk_create(under_way, batch_size=250)
    news = [arrived(f"a{i}", file, se) for i, (file, se) in enumerate(pairs) if i % 100]
    news += [failed(f"f{i}", file, se) for i, (file, se) in enumerate(pairs) if i % 10 == 0]
    chance = random.Random(21)
    sent = news * 3
    chance.shuffle(sent)
    calls = [(sent[start : start + 500], SECRET) for start in range(0, len(sent), number // 10)]
    never = [arrived(f"x{i}", file, se) for i, (file, se) in enumerate(pairs) if i % 100 == 0]
    calls += [(never, "a secret that nobody has shared with us")] * 2  # forged: one in twenty
    chance.shuffle(calls)
    # when
    forged = [tell(*some, secret=key).status_code for some, key in calls if key != SECRET]
    good = [tell(*some, secret=key).status_code for some, key in calls if key == SECRET]
    # then
    assert set(forged) == {403}
    assert set(good) == {200}
    numbers = {(file.pk, se.pk): i for i, (file, se) in enumerate(pairs)}
    there = Replica.objects.filter(state="available").values_list("file", "storage")
    gone = Transfer.objects.filter(state="failed").values_list("file", "destination")
    came = {numbers[pair] for pair in there}
    assert came == {i for i in range(number) if i % 100}
    assert {numbers[pair] for pair in gone} - came == {i for i in range(number) if not i % 100}
    assert not Transfer.objects.active().exists()
    assert ReceivedNews.objects.count() == len(news)
