"""What the engine keeps of a task: its history, its datasets, its input files, its pieces."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from datasets.models import Dataset, File
from jobs.models.task import Task
from jobs.tasks_engine.states import PieceState, Stage


class TaskEvent(models.Model):
    """One move or deed: written in its transaction, never altered."""

    task = models.ForeignKey(
        Task,
        on_delete=models.CASCADE,
        related_name="history",
        db_index=False,  # the unique key begins with it
    )
    seq = models.IntegerField()
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["task_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["task", "seq"], name="task_event_once")]

    def __str__(self) -> str:
        return f"{self.task_id}: {self.from_state} -> {self.to_state}"


class TaskDataset(models.Model):
    """A dataset that a task reads or makes; `place` counts those of a role from 0."""

    class Role(models.TextChoices):
        INPUT = "input"
        SECONDARY = "secondary"
        OUTPUT = "output"
        BUILT = "built", "built library"
        MERGED = "merged", "merged output"

    task = models.ForeignKey(
        Task,
        on_delete=models.CASCADE,
        related_name="task_datasets",
        db_index=False,  # the unique key begins with it
    )
    role = models.CharField(max_length=9, choices=Role)
    place = models.IntegerField()
    # chains: who makes this dataset
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="task_uses")

    class Meta:
        ordering = ["task_id", "role", "place"]
        constraints = [
            models.UniqueConstraint(fields=["task", "role", "place"], name="task_dataset_once")
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.place} of task {self.task_id}"


class TaskPiece(models.Model):
    """A piece of a task's work, cut once: which events or files, and the job that has it now."""

    task = models.ForeignKey(
        Task,
        on_delete=models.CASCADE,
        related_name="task_pieces",
        db_index=False,  # the unique key begins with it
    )
    stage = models.CharField(max_length=5, choices=[(s.value, s.value) for s in Stage])
    serial = models.IntegerField(help_text="counts the pieces of a stage from 1")
    scout = models.BooleanField(default=False)
    state = models.CharField(
        max_length=9,
        choices=[(s.value, s.value) for s in PieceState],
        default=PieceState.PLANNED.value,
    )
    first_event = models.BigIntegerField(default=1)
    n_events = models.BigIntegerField(default=0, help_text="0: not known")
    n_files = models.IntegerField(default=0)
    input_bytes = models.BigIntegerField(default=0)
    panda_id = models.BigIntegerField(null=True, blank=True, help_text="its latest job")
    tries = models.IntegerField(default=0, help_text="jobs that it has had")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["task_id", "stage", "serial"]
        constraints = [
            models.UniqueConstraint(fields=["task", "stage", "serial"], name="task_piece_once"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in PieceState]), name="task_piece_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[PieceState.SUBMITTED, PieceState.DONE])
                | Q(panda_id__isnull=False),
                name="task_piece_has_job",
            ),
        ]
        indexes = [
            # the engine: pieces whose job has ended, or has a successor
            models.Index(fields=["panda_id"], name="task_piece_job"),
            # the engine: pieces that want a job
            models.Index(
                fields=["task", "id"], condition=Q(state="planned"), name="task_piece_planned"
            ),
            # the engine: failed pieces whose job somebody tries again
            models.Index(fields=["task"], condition=Q(state="failed"), name="task_piece_failed"),
            # the engine's patrol over pieces that have a job
            models.Index(
                fields=["id"], condition=Q(state="submitted"), name="task_piece_submitted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage} {self.serial} of task {self.task_id}"


class TaskInput(models.Model):
    """A file that a task reads in one of its pieces: each file once in a stage.

    A task that is cut inside files has a row for each part: its first event, counted from 1, and
    how many there are. `first_event` 0: the whole file, or one that was not looked at yet.
    """

    task = models.ForeignKey(
        Task,
        on_delete=models.CASCADE,
        related_name="task_inputs",
        db_index=False,  # the unique key begins with it
    )
    stage = models.CharField(max_length=5, choices=[(s.value, s.value) for s in Stage])
    file = models.ForeignKey(File, on_delete=models.PROTECT, related_name="task_inputs")
    piece = models.ForeignKey(  # the files of a piece, when its job is made
        TaskPiece, null=True, blank=True, on_delete=models.PROTECT, related_name="inputs"
    )
    first_event = models.BigIntegerField(default=0, db_default=0)
    n_events = models.BigIntegerField(default=0, db_default=0, help_text="0: not known")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "stage", "file", "first_event"], name="task_input_once"
            )
        ]
        indexes = [
            # the engine: files that are in no piece yet
            models.Index(
                fields=["task", "stage", "id"],
                condition=Q(piece__isnull=True),
                name="task_input_uncut",
            )
        ]

    def __str__(self) -> str:
        return f"{self.file_id} of task {self.task_id}"
