"""Admin pages of prodDB: looked at by whom may, refused rows mended, and all of it only a wish.

Nothing is added or deleted here: production does that in its own database. When prodDB is away, a
page says so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import DatabaseError, InterfaceError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from jobs.proddb import mending
from jobs.proddb.models import JobDefinition, StateChange, TaskRequest
from jobs.proddb.router import ALIAS
from jobs.proddb.session import Away, available, open_session, translated
from jobs.proddb.states import ProdState
from pandasite.base import audit
from pandasite.base.admin_kit import RECENT, BigTableAdmin, recent
from pandasite.base.clock import database_now
from pandasite.base.deeds import Deed, Order, ReasonForm
from pandasite.base.errors import DomainError

View = Callable[..., HttpResponse]


def there(view: View) -> View:
    """A page that says so when prodDB is away, and tells what it refuses."""

    @functools.wraps(view)
    def answered(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with open_session():
                with translated():
                    connections[ALIAS].ensure_connection()
                with connections[ALIAS].execute_wrapper(_told):
                    response = view(self, request, *args, **kwargs)
                    if isinstance(response, TemplateResponse):
                        response.render()  # which asks prodDB too
                    return response
        except Away as away:
            context = {**self.admin_site.each_context(request), "opts": self.opts, "away": away}
            return TemplateResponse(request, "admin/proddb_away.html", context, status=503)
        except DomainError as error:
            self.message_user(request, f"Refused: {error.message}", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    return answered


def _told(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
    try:
        return execute(sql, params, many, context)
    except (DatabaseError, InterfaceError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Away(f"prodDB: {lines[0]}"[:500]) from error


def _again(row: Any, order: Order) -> str:
    mending.wish_again(row)
    return "wished for again: the next cycle of Bamboo takes it"


def _end(row: Any, order: Order) -> str:
    mending.wish_end(row)
    return "TOBEABORTED: the next cycle of Bamboo ends it"


def _deeds(model: str) -> list[Deed]:
    right = f"proddb.change_{model}"
    return [
        Deed(
            name="wish_again",
            label="Wish for again…",
            permission=right,
            apply=_again,
            explain="Refused rows are taken once more, as they are now. To change one, open it.",
            audit="proddb_again",
        ),
        Deed(
            name="wish_end",
            label="Abort…",
            permission=right,
            apply=_end,
            explain="The next cycle of Bamboo ends what has not ended: jobs without a pilot at"
            " once, others at their pilot's next heartbeat.",
            audit="proddb_abort",
        ),
    ]


class MendingForm(forms.ModelForm):
    """A refused row as production wrote it, and why it is changed."""

    why = ReasonForm.base_fields["reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if name != "why" and (self._null(name) or isinstance(field, forms.JSONField)):
                field.required = False  # an empty object is no empty field

    @property
    def changes(self) -> dict[str, Any]:
        """What is to be different."""
        said = {name: self.cleaned_data[name] for name in self.changed_data if name != "why"}
        return {n: {} if v is None and not self._null(n) else v for n, v in said.items()}

    def _null(self, name: str) -> bool:
        """Whether nothing may stand there."""
        return bool(self._meta.model._meta.get_field(name).null)


class ProdAdmin(BigTableAdmin):
    """Rows of prodDB; those that were refused have a form."""

    form = MendingForm
    search_recent = True
    list_filter = [recent("state", "state")]
    search_help_text = f"By number; by a name's beginning, among the last {RECENT:,}."

    changelist_view = there(BigTableAdmin.changelist_view)
    changeform_view = there(BigTableAdmin.changeform_view)
    history_view = there(BigTableAdmin.history_view)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        right = request.user.has_perm(f"proddb.change_{self.opts.model_name}")
        return right and obj is not None and obj.state == ProdState.REFUSED

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*mending.KEYS[self.model], *mending.ANSWERS[self.model])

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = [field.name for field in self.opts.fields]
        return [*names, "why"] if self.has_change_permission(request, obj) else names

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Not the row as it was on the page: what was changed, while it is refused."""
        mending.mend(obj, form.changes)
        audit.record(
            actor=request.user,
            action="proddb_mended",
            subject=f"{self.opts.verbose_name} {obj}",
            reason=form.cleaned_data["why"],
            now=database_now(),
            facts={name: str(value)[:200] for name, value in form.changes.items()},
        )


class TaskRequestAdmin(ProdAdmin):
    list_display = [
        "request_id", "name", "owner", "state", "reason", "priority", "given_cloud", "jobs_total",
        "jobs_finished", "jobs_failed", "written_at",
    ]  # fmt: skip
    search_fields = ["name__startswith", "owner__exact"]
    number_field = "request_id"
    deeds: ClassVar[list[Deed]] = _deeds("taskrequest")


class JobDefinitionAdmin(ProdAdmin):
    list_display = [
        "definition_id", "request_id", "name", "state", "reason", "transformation", "panda_id",
        "panda_state", "written_at",
    ]  # fmt: skip
    search_fields = ["name__startswith", "transformation__exact"]
    number_field = "definition_id"
    deeds: ClassVar[list[Deed]] = _deeds("jobdefinition")


class StateChangeAdmin(BigTableAdmin):
    """The outbox: each state that Bamboo wrote."""

    list_display = ["change_id", "kind", "subject_id", "state", "panda_id", "panda_state", "at"]
    list_filter = [recent("kind", "kind"), recent("state", "state")]
    search_fields = ["reason__icontains"]
    search_recent = True
    search_help_text = (
        f"By number of the request or definition; by words of the reason, the last {RECENT:,}."
    )
    number_field = "subject_id"

    changelist_view = there(BigTableAdmin.changelist_view)
    changeform_view = there(BigTableAdmin.changeform_view)
    history_view = there(BigTableAdmin.history_view)


if available():  # else there is nothing to look at
    admin.site.register(TaskRequest, TaskRequestAdmin)
    admin.site.register(JobDefinition, JobDefinitionAdmin)
    admin.site.register(StateChange, StateChangeAdmin)
