"""From the names in addresses and bodies about data to the rows that they mean."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework.exceptions import ValidationError

from datasets.models import CallbackTarget, Dataset, File, StorageElement, Subscription
from pandasite.base import serializers as strict
from pandasite.base.errors import BadInput, NotAllowed, NotThere, field_error

PRODUCTION = "jobs.submit_production"
_DATASET, _SCOPE, _LFN = strict.DatasetNameField(), strict.ScopeField(), strict.LfnField()


class AnyText:
    """What stands in the place of a name in an address; whether it is one is said in words."""

    regex = r"(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


def _checked(field: Any, name: str, value: str) -> str:
    """The name in its stored form; BadInput says what it must be."""
    try:
        return str(field.run_validation(value))
    except ValidationError as error:
        detail = error.detail[0]  # type: ignore[index]
        code = detail.code  # type: ignore[union-attr]
        message = f"{name} {detail}"
        limit = getattr(code, "limit", {})
        fault = field_error(name, message, code=str(code), **limit)
        raise BadInput(message, code=str(code), fields=[fault]) from error


def dataset_of(name: str) -> Dataset:
    """The dataset of an address."""
    checked = _checked(_DATASET, "dataset", name)
    rows = Dataset.objects.select_related("owner", "parent", "source", "destination")
    found = rows.filter(name=checked).first()
    if found is None:
        raise NotThere(f"there is no dataset {checked}")
    return found


def file_name(scope: str, lfn: str) -> tuple[str, str]:
    """The checked name of a file in an address."""
    return _checked(_SCOPE, "scope", scope), _checked(_LFN, "lfn", lfn)


def file_of(scope: str, lfn: str) -> File:
    """The file of an address."""
    scope, lfn = file_name(scope, lfn)
    found = File.objects.filter(scope=scope, lfn=lfn).first()
    if found is None:
        raise NotThere(f"there is no file {scope}:{lfn}")
    return found


def checked_adler32(value: str) -> str:
    """Of the query string of an upload."""
    return _checked(strict.Adler32Field(), "adler32", value)


def checked_guid(value: str) -> str:
    """The same for a GUID."""
    return _checked(strict.GuidField(), "guid", value)


def storage_of(name: str) -> StorageElement:
    """The storage element that a body names."""
    return _named(StorageElement, "storage", name, "unknown_storage")


def callback_of(name: str) -> CallbackTarget:
    """The callback target, by the name of an administrator's record: never an address."""
    return _named(CallbackTarget, "callback", name, "unknown_callback")


def _named(model: Any, field: str, name: str, code: str) -> Any:
    found = model.objects.filter(name=name).first()
    if found is None:
        message = f"{field} {name} is not known"
        raise BadInput(message, code=code, fields=[field_error(field, message, code=code)])
    return found


def subscription_of(number: int) -> Subscription:
    """The subscription of an address."""
    rows = Subscription.objects.select_related("dataset", "storage", "callback")
    found = rows.filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise NotThere(f"there is no subscription {number}")
    return found


def must_own(user: User, name: str, *, field: str) -> None:
    """Who has no production role makes only what begins with `user.<name>`."""
    own = f"user.{user.get_username()}"
    if user.has_perm(PRODUCTION) or name == own or name.startswith(f"{own}."):
        return
    message = f"{field} {name} needs a production role: yours begin with {own}"
    raise NotAllowed(
        message, code="not_your_name", fields=[field_error(field, message, code="not_your_name")]
    )


def must_produce(user: User, what: str) -> None:
    """Only with the production role."""
    if not user.has_perm(PRODUCTION):
        raise NotAllowed(f"{what} needs a production role", code="not_allowed")
