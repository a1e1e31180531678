"""An output is promised once, also by two submissions at the same time."""

import pytest
from django.db import connection, transaction

from jobs import outputs
from jobs.models import Job
from jobs.outputs import Output
from pandasite.base.errors import Unprocessable
from tests.builders import create_user, create_vo
from tests.jobs.test_claim_keys import in_thread, wait_until_somebody_waits
from tests.jobs.test_submit import send, spec


def promise(*lfns):
    """The PandaIDs, or the code of the refusal."""
    try:
        return send(spec(outputs=[(lfn, "") for lfn in lfns])).panda_ids
    except Unprocessable as refusal:
        return refusal.code


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
        thread.join(20)

        assert outcome["value"] == "lfn_exists"
        assert Job.objects.count() == 1

    def test_the_second_has_the_output_when_the_first_is_rolled_back(self):
        with transaction.atomic():
            promise("HIST.1")
            thread, outcome = in_thread(lambda: promise("HIST.1"))
            wait_until_somebody_waits()
            transaction.set_rollback(True)
        thread.join(20)

        assert outcome["value"] == [Job.objects.get().pk]

    def test_other_outputs_are_promised_without_waiting(self):
        with transaction.atomic():
            promise("HIST.1")
            thread, outcome = in_thread(lambda: promise("HIST.2"))
            thread.join(20)

        assert len(outcome["value"]) == 1


@pytest.mark.django_db
def test_the_names_of_a_thousand_jobs_are_held_by_one_statement(django_assert_num_queries):
    names = [Output("", "mc09", f"HIST.{i}", "") for i in range(10_000)]

    with django_assert_num_queries(1):
        outputs._hold_names(names)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE classid = %s", [outputs.LOCK_SPACE])
        assert 0 < cursor.fetchone()[0] <= outputs.STRIPES
