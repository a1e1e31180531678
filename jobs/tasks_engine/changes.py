"""What a retry changes of a task's request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brokerage.models import Site
from jobs.models import Task
from jobs.tasks_engine import checks
from jobs.tasks_engine.body import CHANGEABLE
from jobs.tasks_engine.spec import spec_from
from pandasite.base.errors import BadInput, field_error


def changed_by(task: Task, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a task whose request is another one from now on."""
    if wrong := sorted(set(changes) - set(CHANGEABLE)):
        faults = [
            field_error(name, f"{name} may not be changed", code="not_changeable", known=CHANGEABLE)
            for name in wrong
        ]
        raise BadInput(faults[0]["message"], code="not_changeable", fields=faults)
    said = {name: value for name, value in task.spec.items() if name != "owner"}
    spec = spec_from({**said, **changes}, owner=task.spec["owner"])
    cloud = task.cloud.name if task.cloud else ""  # it may have been chosen since the request
    (faults,) = checks.faults_in([spec.as_json() | {"cloud": cloud}])
    if faults := [fault for fault in faults if fault["field"] in changes]:
        raise BadInput(faults[0]["message"], code=faults[0]["code"], fields=faults)
    columns: dict[str, Any] = {"spec": spec.as_json()}
    if "site" in changes:
        columns["site"] = Site.objects.filter(name=spec.site).first()
    measured = {k: v for k, v in task.measured.items() if k not in changes}
    return columns | {"measured": measured}
