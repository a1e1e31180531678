"""What the addresses of tasks answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers as s

from jobs.api.task_listing import LIMIT_MAX
from jobs.models import TaskDataset
from jobs.tasks_engine.states import PieceState, Stage, TaskState

STATES = tuple(state.value for state in TaskState)
PIECE_STATES = tuple(state.value for state in PieceState)


class TaskProgress(s.Serializer[Any]):
    """How far it is. Pieces of work are what a job does, however often it is tried."""

    events = s.IntegerField()
    events_done = s.IntegerField()
    input_files = s.IntegerField()
    input_files_done = s.IntegerField()
    input_files_failed = s.IntegerField()
    input_open = s.BooleanField()
    pieces = s.IntegerField()
    pieces_done = s.IntegerField()
    pieces_failed = s.IntegerField()
    merges = s.IntegerField()
    merges_done = s.IntegerField()
    merges_failed = s.IntegerField()
    eta_seconds = s.FloatField(allow_null=True)


class TaskSummary(s.Serializer[Any]):
    """A task in a list. `state` is null where it only groups jobs that were submitted."""

    task_id = s.IntegerField()
    name = s.CharField()
    state = s.ChoiceField(choices=STATES, allow_null=True)
    owner = s.CharField()
    vo = s.CharField(allow_null=True)
    working_group = s.CharField(allow_blank=True)
    processing_type = s.CharField(allow_blank=True)
    prod_source_label = s.CharField(allow_blank=True)
    priority = s.IntegerField()
    campaign = s.CharField(allow_blank=True)
    request_id = s.IntegerField(allow_null=True)
    parent_id = s.IntegerField(allow_null=True)
    transformation = s.CharField(allow_blank=True)
    tag = s.CharField(allow_blank=True)
    cloud = s.CharField(allow_null=True)
    site = s.CharField(allow_null=True)
    created_at = s.DateTimeField()
    state_changed_at = s.DateTimeField(allow_null=True)
    ended_at = s.DateTimeField(allow_null=True)
    reason = s.CharField(allow_blank=True)
    progress = TaskProgress()


class TasksAnswer(s.Serializer[Any]):
    """A page, newest first; `before` continues it, null at its end."""

    tasks = TaskSummary(many=True)
    before = s.IntegerField(allow_null=True)


class RegisteredTask(s.Serializer[Any]):
    """A task of a submission, in its order."""

    task_id = s.IntegerField()
    name = s.CharField()
    state = s.ChoiceField(choices=STATES)


class RegisteredAnswer(s.Serializer[Any]):
    """The tasks in the order of the submission."""

    tasks = RegisteredTask(many=True)


class PieceCount(s.Serializer[Any]):
    """How many pieces of a stage are in a state."""

    stage = s.ChoiceField(choices=[x.value for x in Stage])
    state = s.ChoiceField(choices=PIECE_STATES)
    pieces = s.IntegerField()


class TaskData(s.Serializer[Any]):
    """A dataset that it reads or makes."""

    role = s.ChoiceField(choices=TaskDataset.Role.values)
    place = s.IntegerField()
    name = s.CharField()
    state = s.CharField()


class TaskChild(s.Serializer[Any]):
    """A task that has this one for its parent."""

    task_id = s.IntegerField()
    name = s.CharField()
    state = s.ChoiceField(choices=STATES, allow_null=True)


class TaskEventAnswer(s.Serializer[Any]):
    """A move or a deed: who, when, why."""

    seq = s.IntegerField()
    from_state = s.CharField(allow_blank=True)
    to_state = s.CharField()
    actor = s.CharField()
    at = s.DateTimeField()
    reason = s.CharField(allow_blank=True)


class TaskAnswer(TaskSummary):
    """Everything that is known of a task."""

    waits_for = s.CharField(allow_blank=True)
    spec = s.JSONField()
    measured = s.JSONField()
    counts = PieceCount(many=True)
    datasets = TaskData(many=True)
    children = TaskChild(many=True)
    history = TaskEventAnswer(many=True)


TASK_FILTERS = (
    OpenApiParameter("state", OpenApiTypes.STR, enum=STATES),
    OpenApiParameter("owner", OpenApiTypes.STR),
    OpenApiParameter("name", OpenApiTypes.STR, description="how its name begins"),
    OpenApiParameter("campaign", OpenApiTypes.STR),
    OpenApiParameter("before", {"type": "integer", "minimum": 1}, description="a number of a task"),
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}),
)
