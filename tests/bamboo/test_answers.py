"""What prodDB is told when something changes behind its back, or production writes twice."""

from __future__ import annotations

import pytest

from brokerage.models import Cloud
from datasets.models import StorageElement
from jobs.models import CloudDecision
from tests.bamboo.production import a_cloud, ask, request, turn
from tests.builders import create_dataset, create_file, local_storage

pytestmark = pytest.mark.django_db(databases=["default", "proddb"])


def test_another_reason_to_wait_is_told_in_prod_db_and_kept_beside_the_first():
    fr = a_cloud("FR", status="offline")
    dataset = create_dataset("mc09.input")
    create_file(dataset=dataset)
    number = ask(1, input_dataset="mc09.input", processing_type="simul")
    turn()

    Cloud.objects.filter(pk=fr.pk).update(status="online")
    turn()

    assert "on the way to FR_T1" in request(number).reason
    assert CloudDecision.objects.count() == 2


def test_a_task_that_waits_for_the_same_reasons_has_one_decision_with_the_latest_numbers():
    us = a_cloud("US")
    storage = local_storage(us.tier1)
    StorageElement.objects.filter(pk=storage.pk).update(free_bytes=500 * 10**9)
    ask(1)
    turn()
    StorageElement.objects.filter(pk=storage.pk).update(free_bytes=400 * 10**9)

    turn()

    decision = CloudDecision.objects.get()
    assert (decision.cloud, decision.times) == (None, 2)
    assert "has 400 GB free" in decision.verdicts[0]["reason"]
