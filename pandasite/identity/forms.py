"""An identity as an administrator enters it."""

from __future__ import annotations

from typing import Any

from django import forms

from pandasite.base.errors import BadInput
from pandasite.identity.models import Identity
from pandasite.identity.x509 import names


class IdentityForm(forms.ModelForm):
    """Names of certificates may come in either form; kept is the one that calls are compared with.

    The issuer of a token is an address, that of a certificate a name.
    """

    class Meta:
        model = Identity
        fields = ["user", "issuer", "subject"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if "://" in given.get("issuer", "://"):
            return given
        for name in ("issuer", "subject"):
            try:
                given[name] = names.read(given.get(name, ""))
            except BadInput as error:
                self.add_error(name, error.message)
        return given
