"""What the database promises of identities, own sites and notes on tokens."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from knox.models import AuthToken

from jobs import identity
from pandasite.base.clock import database_now
from pandasite.identity.models import Identity, OwnSite, TokenNote
from tests import builders as make

pytestmark = pytest.mark.django_db

CA = "/C=CH/O=Test/CN=Test CA"


def known_as(subject: str, *, user: str, issuer: str = CA) -> Identity:
    return Identity.objects.create(
        user=make.create_user(user), issuer=issuer, subject=subject, created_at=database_now()
    )


def test_a_subject_of_an_issuer_is_one_user() -> None:
    known_as("/CN=Alice", user="alice")
    with pytest.raises(IntegrityError, match="identity_once_per_issuer"):
        known_as("/CN=Alice", user="bob")


def test_the_same_subject_of_another_issuer_is_somebody_else() -> None:
    one = known_as("/CN=Alice", user="alice")
    other = known_as("/CN=Alice", user="mallory", issuer="/O=Evil/CN=CA")
    assert one.user != other.user


def test_a_site_is_somebodys_own_once() -> None:
    user, site = make.create_user("sam"), make.create_site("AGLT2")
    OwnSite.objects.create(user=user, site=site)
    with pytest.raises(IntegrityError, match="own_site_once_per_user"):
        OwnSite.objects.create(user=user, site=site)


def test_what_is_known_of_a_user_goes_with_the_user() -> None:
    alice = known_as("/CN=Alice", user="alice").user
    identity.new_token(alice, days=1)
    TokenNote.objects.create(
        token=AuthToken.objects.get(), name="laptop", scope=TokenNote.Scope.READ, made_by=alice
    )
    get_user_model().objects.get(pk=alice.pk).delete()
    assert not Identity.objects.exists()
    assert not TokenNote.objects.exists()
