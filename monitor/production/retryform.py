"""The form of a retry: how much is tried again, and what of the request may be different then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from jobs.models import Task
from jobs.tasks_engine import recovery
from jobs.tasks_engine.body import CHANGEABLE
from monitor.asking import fields
from monitor.words import plural
from pandasite.base.errors import DomainError

MEASURED = {"memory_mb", "cpu_s_per_event"}  # which scouts may have set


class RetryForm(forms.Form):
    """Fields of the request that a retry may change, as they are now.

    What they were when the page was made comes back with them: only what a person has changed is
    a change, whatever somebody else has changed meanwhile.
    """

    def __init__(self, task: Task, data: Any = None) -> None:
        super().__init__(data, initial={name: task.spec.get(name) for name in CHANGEABLE})
        self.task = task
        self.fields.update(fields.made(CHANGEABLE))
        for name, field in self.fields.items():
            field.show_hidden_initial = True
            if name in MEASURED and (found := task.measured.get(name)):
                field.help_text = f"scouts set {found['set']:g}; a change goes before that"

    @property
    def changes(self) -> dict[str, Any]:
        """What is different from now on; an empty number is 0: no wish. For a valid form."""
        said = {name: self.cleaned_data[name] for name in self.changed_data}
        return {name: 0 if value is None else value for name, value in said.items()}

    def say(self, error: DomainError) -> None:
        """Each fault beside its field."""
        for fault in error.fields or [{"field": "", "message": error.message}]:
            place = str(fault["field"])
            self.add_error(place if place in self.fields else None, fault["message"])


def foreseen(task: Task) -> Mapping[str, Any]:
    """How many pieces of work a retry would try again, in words."""
    failed = recovery.left_out(task).count()
    what = f"{plural(failed, 'piece')} of {task.pieces + task.merges:,}"
    return {"failed": failed, "words": f"{what} failed or were left out, and get a new job each."}
