"""What the admin pages of all apps share: deeds, read-only and big tables, refused deletions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from pandasite.base.deeds import Deed, ask
from pandasite.base.rights import may_somewhere

RECENT = 100_000  # rows that a filter without an index looks at
MOST_VALUES = 200  # that such a filter offers
EMPTY = "-"  # its word for an empty text
FAR = 10_000  # a list of a big table ends here: nobody pages further, counting on would cost


class OurAdmin(admin.ModelAdmin):
    """Stock admin plus `deeds`, and a refusal to delete what other rows need."""

    deeds: ClassVar[Sequence[Deed]] = ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The stock actions, and the deeds that this user may do."""
        actions: dict[str, Any] = super().get_actions(request)
        if IS_POPUP_VAR in request.GET:
            return actions
        for deed in self.deeds:
            if may_somewhere(request.user, deed.permission):
                actions[deed.name] = (partial(ask, deed), deed.name, deed.label)
        return actions

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Counts the rows that forbid a deletion before Django would load every one of them."""
        blockers = blocked_by(self.model, objs)
        if blockers:
            return [], {}, set(), blockers
        deletable, counts, _needed, protected = super().get_deleted_objects(objs, request)
        # Who may delete this may delete what belongs to it, though its own list is read-only.
        return deletable, counts, set(), protected

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """The page that asks, or says what is in the way: that one is a 409."""
        return _true_status(super().render_delete_form(request, context))

    def response_action(self, request: HttpRequest, queryset: Any, *rest: Any) -> Any:
        """The same for the deletion of several rows."""
        return _true_status(super().response_action(request, queryset, *rest))


class ReadOnlyAdmin(OurAdmin):
    """Rows that only services write: to be looked at, and moved by deeds."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class BoundedPaginator(Paginator):
    """Counts up to FAR: an exact count of ten million rows takes seconds."""

    @cached_property
    def count(self) -> int:
        """Rows, at most FAR."""
        rows: Any = self.object_list
        return int(rows[:FAR].count())


class BigTableAdmin(ReadOnlyAdmin):
    """A table of millions of rows: newest first, no second count, no sorting by other columns.

    A search for a number is one for the key `number_field`, where that is named. With
    `search_recent` any other one looks at the last RECENT rows: its columns have no index.
    """

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count the table once per value of each filter
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 200
    sortable_by = ()
    ordering = ["-pk"]
    number_field: ClassVar[str] = ""
    search_recent: ClassVar[bool] = False
    search_help_text = f"Lists end after {FAR:,} rows: search or filter to see others."

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """(rows, whether some may come twice)."""
        term = search_term.strip()
        if self.number_field and term.isdecimal() and len(term) < 20 and int(term) < 2**63:
            return queryset.filter(**{self.number_field: int(term)}), False
        if term and self.search_recent:
            queryset = _recent_rows(queryset)
        return super().get_search_results(request, queryset, search_term)


class RecentFilter(admin.SimpleListFilter):
    """By a column without an index, among the last RECENT rows: to look further would read all.

    Made by `recent`.
    """

    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = _recent_rows(model_admin.model._base_manager.all())
        values = rows.order_by(self.column).values_list(self.column, flat=True).distinct()
        return [(value or EMPTY, value or "none") for value in values[:MOST_VALUES]]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if value is None:
            return queryset
        return _recent_rows(queryset).filter(**{self.column: "" if value == EMPTY else value})


def recent(column: str, title: str) -> type[RecentFilter]:
    """A filter of a big table by a text column."""
    named = {"column": column, "title": f"{title} (last {RECENT:,})", "parameter_name": column}
    return type("RecentFilter", (RecentFilter,), named)


def _recent_rows(rows: Any) -> Any:
    newest = rows.model._base_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
    return rows.filter(pk__gt=newest - RECENT)


class ReadOnlyInline(admin.TabularInline):
    """Rows of another table on a page, to be looked at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def blocked_by(model: type[models.Model], objs: Any) -> list[str]:
    """What forbids the deletion of `objs`: "2 jobs (computing site)", one text per reference."""
    blockers = []
    relations = [
        relation
        for relation in model._meta.get_fields(include_hidden=True)
        if isinstance(relation, models.ForeignObjectRel)
        and relation.on_delete in (models.PROTECT, models.RESTRICT)
    ]
    # A view over two tables says `live` of the table whose rows it has too: they count once.
    covered = {getattr(relation.related_model, "live", None) for relation in relations}
    for relation in relations:
        other, key = relation.related_model, relation.field
        if other in covered:
            continue
        n = other._base_manager.filter(**{f"{key.name}__in": objs}).count()
        if n:
            name = other._meta.verbose_name if n == 1 else other._meta.verbose_name_plural
            blockers.append(f"{n:,} {name} ({key.verbose_name})")
    return blockers


def _true_status(response: Any) -> Any:
    context = getattr(response, "context_data", None) or {}
    if context.get("protected"):
        response.status_code = 409
    return response
