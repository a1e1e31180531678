"""What Rucio refuses, what it does not know any more, and who we are there."""

from __future__ import annotations

import pytest

from datasets.ddm import choice, sync
from datasets.ddm.choice import KNOWN
from datasets.models import Dataset, StorageElement, Subscription
from tests.builders import NOW, after
from tests.rucio.sites import fresh, wish

pytestmark = [pytest.mark.rucio, pytest.mark.django_db]


@pytest.mark.parametrize(
    ("storage", "scope", "said"),
    [("NOWHERE", "", "RSE"), ("", "nobody", "ScopeNotFound")],
    ids=["no such RSE", "no such scope"],
)
def test_what_rucio_refuses_is_given_up_with_its_words(sites, storage, scope, said):
    made = wish(sites, sites.file())
    StorageElement.objects.filter(pk=sites.near.pk).update(ddm_name=storage or "NEAR-DISK")
    Dataset.objects.filter(pk=made.dataset_id).update(scope=scope)

    sync.run(NOW)

    assert fresh(made).state == "given_up"
    assert said in made.reason


def test_other_content_under_a_known_name_is_refused(sites):
    file = sites.file()
    wish(sites, file)
    sync.run(NOW)
    type(file).objects.filter(pk=file.pk).update(size=file.size + 1)
    made = wish(sites, file)

    sync.run(NOW)

    assert fresh(made).state == "given_up"
    assert f"the catalogue says {file.size + 1} and {file.adler32}" in made.reason


def test_a_rule_that_somebody_has_removed_ends_the_wish(sites):
    made = wish(sites, sites.file())
    sync.run(NOW)
    Subscription.objects.filter(pk=made.pk).update(reference="0" * 32)

    sync.run(after(minutes=1))

    assert fresh(made).reason == f"Rucio has no rule {'0' * 32} any more"


def test_replicas_are_looked_up_many_at_once(sites):
    files = [sites.file(f"{nr}".encode()) for nr in range(3)]
    wish(sites, *files)
    sync.run(NOW)
    sites.bring(files[0], sites.near)
    names = [(file.scope, file.lfn) for file in files]

    found = choice.system(KNOWN["rucio"]).replicas([*names, ("mc09", "nobody knows it")])

    assert found == {
        names[0]: ["FAR-DISK", "NEAR-DISK"],
        names[1]: ["FAR-DISK"],
        names[2]: ["FAR-DISK"],
    }


def test_a_token_that_is_refused_is_replaced(sites):
    system = choice.system(KNOWN["rucio"])
    system.tokens.token, system.tokens.until = "panda-unknown-token", float("inf")
    made = wish(sites, sites.file())

    sync.run(NOW)

    assert fresh(made).reference


def test_a_wrong_password_is_no_reason_to_give_up(sites, monkeypatch, caplog):
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_RUCIO", "panda-user:canary-wrong")
    made = wish(sites, sites.file())

    sync.run(NOW)

    assert (fresh(made).state, made.reference) == ("open", "")
    assert "CannotAuthenticate" in caplog.records[-1].error
    assert "canary-wrong" not in caplog.text
