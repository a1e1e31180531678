"""Sites as files: which columns they have, and how a row becomes a site.

Sites are known by name, clouds and VOs are named too, so that a file fits another installation.
The status columns are written but never read: a status is set with a reason, by its action.
Nothing is imported when one row is bad; each fault is told by row and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import tablib
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from import_export import fields, resources, widgets

from brokerage.models import VO, Cloud, Site
from brokerage.services import book_new_site
from pandasite.base import audit
from pandasite.base.clock import database_now
from pandasite.base.sheets import BadSheet

NUMBERS = (
    "tier",
    "memory_mb",
    "cpu_speed_mhz",
    "slots",
    "job_cap",
    "max_core_count",
    "wall_seconds",
    "scratch_mb",
)
STATUS = ("status", "status_reason", "status_by", "status_at")
OWN = ("name", "cloud", "type", "flavour", *NUMBERS)  # columns of the site's own row
READ = (*OWN, "vos")


class Words(widgets.Widget):
    """A text, without blanks around it."""

    def clean(self, value: Any, row: Any = None, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("must be a text")
        return value.strip()


class Whole(widgets.IntegerWidget):
    """A whole number; the library's own widget would cut 2.5 down to 2."""

    def clean(self, value: Any, row: Any = None, **_: Any) -> int:
        if type(value) is int:
            return value
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
            return int(value)
        raise ValueError(f"{value!r} is not a whole number")


class CloudName(widgets.ForeignKeyWidget):
    """The cloud of this name."""

    def clean(self, value: Any, row: Any = None, **_: Any) -> Cloud:
        cloud = Cloud.objects.filter(name=value).first() if isinstance(value, str) else None
        if cloud is None:
            raise ValueError(f"there is no cloud {value!r}")
        return cloud


class VONames(widgets.ManyToManyWidget):
    """VOs by name, separated by commas; none means all."""

    def clean(self, value: Any, row: Any = None, **_: Any) -> QuerySet[VO]:
        if not isinstance(value, str):
            raise ValueError("must be names separated by commas")
        names = {name.strip() for name in value.split(",")} - {""}
        found = VO.objects.filter(name__in=names)
        if missing := names - set(found.values_list("name", flat=True)):
            raise ValueError(f"there is no VO {', '.join(sorted(missing))}")
        return found


class SiteResource(resources.ModelResource):
    """A row per site; see the module."""

    cloud = fields.Field("cloud", "cloud", widget=CloudName(Cloud, "name"))
    vos = fields.Field("vos", "vos", widget=VONames(VO, field="name"))

    class Meta:
        model = Site
        fields = (*READ, *STATUS)
        export_order = fields
        import_order = READ
        import_id_fields = ("name",)
        clean_model_instances = True
        skip_unchanged = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in STATUS:
            self.fields[name].readonly = True
        for name in NUMBERS:
            self.fields[name].widget = Whole()
        for name in ("name", "type", "flavour"):
            self.fields[name].widget = Words()

    def before_import(self, dataset: tablib.Dataset, **_: Any) -> None:
        """Take the time of the import; refuse unknown columns and sites that come twice."""
        self.now = database_now()
        known = self._meta.fields
        if unknown := [name for name in dataset.headers if name not in known]:
            raise BadSheet(f"unknown columns: {', '.join(unknown)}; known are {', '.join(known)}")
        if "name" not in dataset.headers:
            raise BadSheet("the column name is missing")
        _refuse_repeated(dataset["name"])

    def import_instance(self, instance: Site, row: dict[str, Any], **kwargs: Any) -> None:
        """Check the VOs with the other columns: by themselves they are looked at after saving."""
        errors: dict[str, Any] = {}
        try:
            super().import_instance(instance, row, **kwargs)
        except ValidationError as error:
            errors = error.update_error_dict({})
        if "vos" in row:
            try:
                self.fields["vos"].clean(row)
            except ValueError as error:
                errors["vos"] = [ValidationError(str(error))]
        if errors:
            raise ValidationError(errors)

    def save_instance(
        self, instance: Site, is_create: bool, row: dict[str, Any], **kwargs: Any
    ) -> None:
        """Begin the history of a new site, as its form does."""
        super().save_instance(instance, is_create, row, **kwargs)
        if is_create:
            author = kwargs["user"].get_username()
            book_new_site(instance, author=author, reason="imported", now=self.now)

    def do_instance_save(self, instance: Site, is_create: bool) -> None:
        """Write our columns only: somebody may be setting the status at this moment."""
        if is_create:
            instance.save(force_insert=True)
        else:
            instance.save(update_fields=OWN)

    def after_import(self, dataset: tablib.Dataset, result: Any, **kwargs: Any) -> None:
        """One audit line for the file, undone with it when a row is bad."""
        audit.record(
            actor=kwargs["user"],
            action="import_sites",
            subject=kwargs.get("file_name") or "sites",
            reason=kwargs["reason"],
            now=self.now,
            facts={kind: n for kind, n in result.totals.items() if n},
        )


def _refuse_repeated(names: Iterable[Any]) -> None:
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not isinstance(name, str):
            raise BadSheet(f"row {number}: name: must be a text")
        before = first.setdefault(name.strip(), number)
        if before != number:
            raise BadSheet(f"row {number}: name: {name} is in row {before} already")
