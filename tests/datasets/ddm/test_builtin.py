"""The built-in data management system keeps the contract of those elsewhere."""

from __future__ import annotations

import pytest

from datasets.ddm.builtin import BuiltIn
from datasets.ddm.contract import Arrived, DdmRefused, NewFile, Seen, Wish
from datasets.models import Dataset, File, Replica, Transfer
from tests.builders import ADLER32, GUID, NOW, create_storage

pytestmark = pytest.mark.django_db


def test_the_built_in_one_keeps_the_same_contract():
    ours, here = BuiltIn(), create_storage("HERE")
    files = [NewFile("mc09", "f", GUID, 10, ADLER32)]

    ours.register("d", files, scope="mc09", replicas={})
    ours.register("d", files, scope="mc09", replicas={})
    reference = ours.subscribe(Wish(dataset="d", storage="HERE", priority=4))
    ours.set_priority(reference, 9)

    assert Transfer.objects.get().priority == 9
    assert ours.states([reference])[reference] == Seen(arrived=[], failed={})
    Replica.objects.create(file=File.objects.get(), storage=here, created_at=NOW)
    here_is = Arrived(name=("mc09", "f"), size=10, adler32=ADLER32)
    assert ours.states([reference])[reference].arrived == [here_is]
    assert ours.replicas([("mc09", "f")]) == {("mc09", "f"): ["HERE"]}
    ours.cancel(reference, reason="enough")
    ours.cancel(reference, reason="enough")
    assert ours.states([reference])[reference].over == "cancelled by ddm: enough"
    with pytest.raises(DdmRefused):
        ours.register("d", [NewFile("mc09", "f", GUID, 11, ADLER32)], scope="mc09", replicas={})
    with pytest.raises(DdmRefused):
        ours.subscribe(Wish(dataset="d", storage="NOWHERE"))
    assert Dataset.objects.count() == 1
