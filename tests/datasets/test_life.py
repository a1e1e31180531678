"""A copy that is erased while somebody asks for it anew."""

from threading import Thread

import pytest
from django.db import connections

from datasets import engine, life
from datasets.models import Replica
from tests.datasets.disks import due, fresh, known_file, store, where


@pytest.mark.django_db(transaction=True)
def test_a_file_is_not_brought_anew_while_its_old_copy_is_being_removed(disks, monkeypatch):
    bnl, _, aglt2 = disks
    file = known_file()
    store(bnl, file)
    store(aglt2, file)
    asked, brought = [], []

    def bring():
        asked.append(due(file, aglt2))
        brought.append(engine.run(asked[0].pk))
        connections.close_all()

    def slow(_storage, _path):
        """While the storage takes its time, somebody wants the file there."""
        worker = Thread(target=bring)
        worker.start()
        worker.join(60)
        where(aglt2, file).unlink()

    monkeypatch.setattr(life.content, "remove", slow)
    old = Replica.objects.get(storage=aglt2)

    assert life.erase([old.pk], away=set()) == 1

    assert (brought, fresh(asked[0]).state) == ([False], "queued")
    assert not where(aglt2, file).exists()
    assert engine.run(asked[0].pk) is True
    assert where(aglt2, file).exists()
