"""An output is promised by one live job, also when two submissions come at the same time."""

import pytest
from django.db import IntegrityError, transaction

from jobs import fsck, outputs, services
from jobs.models import Job, JobFile
from jobs.states import JobState
from pandasite.base.errors import Conflict, Unprocessable
from tests.builders import (
    NOW,
    after,
    create_file,
    create_job,
    create_site,
    create_user,
    create_vo,
)
from tests.jobs.test_claim_keys import in_thread, wait_until_somebody_waits
from tests.jobs.test_submit import send, spec


def promise(*lfns):
    """The PandaIDs, or the code of the refusal."""
    try:
        return send(spec(outputs=[(lfn, "") for lfn in lfns])).panda_ids
    except (Conflict, Unprocessable) as refusal:
        return refusal.code


def end(job, state=JobState.CANCELLED):
    services.move(Job.objects.filter(pk=job.pk), state, actor="tests", now=after(hours=1))


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    @pytest.fixture(autouse=True)
    def known(self):
        """What the threads would otherwise make at the same time."""
        create_user(), create_vo()

    def test_the_second_to_promise_an_output_waits_and_is_refused(self):
        with transaction.atomic():
            promise("HIST.1")
            thread, outcome = in_thread(lambda: promise("HIST.2", "HIST.1"))
            wait_until_somebody_waits()
        thread.join(60)

        assert outcome["value"] == "lfn_exists"
        assert Job.objects.count() == 1

    def test_the_second_has_the_output_when_the_first_is_rolled_back(self):
        with transaction.atomic():
            promise("HIST.1")
            thread, outcome = in_thread(lambda: promise("HIST.1"))
            wait_until_somebody_waits()
            transaction.set_rollback(True)
        thread.join(60)

        assert outcome["value"] == [Job.objects.get().pk]

    def test_a_thousand_other_outputs_are_promised_without_waiting(self):
        with transaction.atomic():
            promise(*[f"HIST.{i}" for i in range(1000)])
            thread, outcome = in_thread(lambda: promise(*[f"AOD.{i}" for i in range(1000)]))
            thread.join(60)

        assert len(outcome["value"]) == 1

    def test_who_waits_for_a_name_holds_none_that_comes_after_it(self):
        """So two submissions that name the same outputs in other orders never block each other."""
        with transaction.atomic():
            promise("M")
            waiting, outcome = in_thread(lambda: promise("Z", "M", "A"))
            wait_until_somebody_waits()
            third, free = in_thread(lambda: promise("Z"))
            third.join(60)
            assert len(free["value"]) == 1
        waiting.join(60)

        assert outcome["value"] == "lfn_exists"

    def test_an_output_is_free_as_soon_as_the_end_of_its_job_is_written(self):
        job = create_job("defined", outputs=["HIST.1"])

        with transaction.atomic():
            end(job)
            thread, outcome = in_thread(lambda: promise("HIST.1"))
            wait_until_somebody_waits()
        thread.join(60)

        assert len(outcome["value"]) == 1

    def test_an_output_that_is_just_registered_is_not_promised_again(self):
        job = create_job("holding", outputs=["HIST.1"])

        with transaction.atomic():
            job.files.update(status="ready", file=create_file("HIST.1"))
            end(job, JobState.FINISHED)
            thread, outcome = in_thread(lambda: promise("HIST.1"))
            wait_until_somebody_waits()
        thread.join(60)

        assert outcome["value"] == "lfn_exists"


@pytest.mark.django_db
class TestOneAfterTheOther:
    @pytest.mark.parametrize(
        "state", ["waiting", "activated", "running", "holding", "transferring"]
    )
    def test_a_live_job_keeps_its_outputs_to_itself(self, state):
        create_job(state, outputs=["HIST.1"])

        assert promise("HIST.1") == "lfn_exists"

    @pytest.mark.parametrize("state", ["failed", "cancelled"])
    def test_an_ended_job_does_not(self, state):
        job = create_job("defined", outputs=["HIST.1"], max_attempt=0)
        end(job, JobState(state))

        assert len(promise("HIST.1")) == 1

    def test_a_successor_has_the_promises_of_the_job_that_failed(self):
        job = create_job("transferring", site=create_site(), outputs=["HIST.1"])
        end(job, JobState.FAILED)
        services.make_successors([job.pk], now=NOW)

        assert promise("HIST.1") == "lfn_exists"
        assert JobFile.objects.get(status="pending").job.retry_of == job.pk
        assert fsck.check() == []

    def test_all_names_that_are_taken_are_told_with_their_places(self):
        create_job("running", outputs=["HIST.1"])
        create_file("HIST.3")

        with pytest.raises(Unprocessable) as refusal:
            send(spec(outputs=[("HIST.3", ""), ("HIST.2", "")]), spec(outputs=[("HIST.1", "")]))

        assert [field["field"] for field in refusal.value.fields] == [
            "jobs[0].output_files[0].lfn",
            "jobs[1].output_files[0].lfn",
        ]
        assert JobFile.objects.count() == 1

    def test_names_are_held_in_one_order_and_told_in_that_of_the_submission(self):
        send(spec(inputs=[("Y", "")], outputs=[("Z", ""), ("A", ""), ("M", "")]))

        assert list(Job.objects.get().files.values_list("lfn", flat=True)) == ["Y", "Z", "A", "M"]

    def test_the_database_refuses_a_second_promise_whoever_makes_it(self):
        create_job("running", outputs=["HIST.1"])

        with pytest.raises(IntegrityError):
            create_job("defined", outputs=["HIST.1"])

    def test_a_promise_that_ended_before_it_could_be_named_is_taken_over(self, monkeypatch):
        job = create_job("defined", outputs=["HIST.1"])
        look = outputs._refuse

        def too_late(*args):
            end(job)
            monkeypatch.setattr(outputs, "_refuse", look)

        monkeypatch.setattr(outputs, "_refuse", too_late)

        assert len(promise("HIST.1")) == 1

    def test_a_promise_that_is_never_to_be_seen_is_a_conflict(self, monkeypatch):
        create_job("running", outputs=["HIST.1"])
        monkeypatch.setattr(outputs, "_refuse", lambda *args: None)

        assert promise("HIST.1") == "busy_outputs"
        assert Job.objects.count() == 1

    def test_a_promise_of_an_ended_job_is_a_difference(self):
        job = create_job("failed", outputs=["HIST.1"])
        job.files.update(status="pending")

        assert fsck.check() == [f"job {job.pk} is failed, its output HIST.1 is still pending"]

    def test_a_live_job_without_its_promise_is_a_difference(self):
        job = create_job("running", outputs=["HIST.1"])
        job.files.update(status="failed")

        assert fsck.check() == [f"job {job.pk} is running, its output HIST.1 is failed already"]
