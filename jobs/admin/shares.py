"""The tree of production shares: the children of a share are edited together, to 100 percent."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from jobs.models import Share
from jobs.shares.tree import Node, problems
from pandasite.base.admin_kit import OurAdmin


class ChildrenFormSet(BaseInlineFormSet):
    """The children of one share: what they add up to is asked once all of them are known."""

    def clean(self) -> None:
        """Says what is wrong with them together."""
        super().clean()
        if any(self.errors):
            return
        kept = [
            form.cleaned_data
            for form in self.forms
            if form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]
        names = ("name", "percent", "working_group", "processing_type")
        wrong = problems([Node(**{name: given[name] for name in names}) for given in kept])
        if wrong:
            raise ValidationError([f"{sentence[0].upper()}{sentence[1:]}." for sentence in wrong])


class ChildrenInline(admin.TabularInline):
    """What a share is divided into."""

    model = Share
    formset = ChildrenFormSet
    fields = ("name", "percent", "working_group", "processing_type")
    extra = 2
    verbose_name = "part of this share"
    verbose_name_plural = "divided into (the percentages add up to 100; a part may be divided too)"


@admin.register(Share)
class ShareAdmin(OurAdmin):
    """A share, and what it is divided into. A new one is made on the page of its parent."""

    list_display = ("name", "parent", "percent", "working_group", "processing_type")
    list_select_related = ("parent",)
    search_fields = ("name", "working_group", "processing_type")
    fields = ("name", "parent", "percent", "working_group", "processing_type")
    readonly_fields = ("parent", "percent")
    inlines = (ChildrenInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only as a part of another: on its own it would not add up."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only with its siblings in sight, on the page of the parent."""
        return False
