import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from jobs.tasks_engine.states import MOVES
from pandasite.base.guard import guard_sql


class Migration(migrations.Migration):
    dependencies = [
        ("brokerage", "0004_downtime"),
        ("datasets", "0004_names"),
        ("jobs", "0022_ended_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TaskDataset",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("input", "Input"),
                            ("secondary", "Secondary"),
                            ("output", "Output"),
                            ("merged", "merged output"),
                        ],
                        max_length=9,
                    ),
                ),
                ("place", models.IntegerField()),
            ],
            options={
                "ordering": ["task_id", "role", "place"],
            },
        ),
        migrations.CreateModel(
            name="TaskEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seq", models.IntegerField()),
                ("from_state", models.CharField(blank=True, max_length=12)),
                ("to_state", models.CharField(max_length=12)),
                ("actor", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("reason", models.TextField(blank=True)),
            ],
            options={
                "ordering": ["task_id", "seq"],
            },
        ),
        migrations.CreateModel(
            name="TaskInput",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "stage",
                    models.CharField(choices=[("work", "work"), ("merge", "merge")], max_length=5),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="TaskPiece",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "stage",
                    models.CharField(choices=[("work", "work"), ("merge", "merge")], max_length=5),
                ),
                ("serial", models.IntegerField(help_text="counts the pieces of a stage from 1")),
                ("scout", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "planned"),
                            ("submitted", "submitted"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("dropped", "dropped"),
                        ],
                        default="planned",
                        max_length=9,
                    ),
                ),
                ("first_event", models.BigIntegerField(default=1)),
                ("n_events", models.BigIntegerField(default=0, help_text="0: not known")),
                ("n_files", models.IntegerField(default=0)),
                ("input_bytes", models.BigIntegerField(default=0)),
                (
                    "panda_id",
                    models.BigIntegerField(blank=True, help_text="its latest job", null=True),
                ),
                ("tries", models.IntegerField(default=0, help_text="jobs that it has had")),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["task_id", "stage", "serial"],
            },
        ),
        migrations.AlterModelOptions(
            name="task",
            options={
                "ordering": ["-task_id"],
                "permissions": [
                    ("manage_any_task", "Can kill, pause, retry and reorder tasks of others")
                ],
            },
        ),
        migrations.AddField(
            model_name="task",
            name="began_at",
            field=models.DateTimeField(blank=True, help_text="its first jobs were made", null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="campaign",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="task",
            name="cloud",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="brokerage.cloud",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="cut_short",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="somebody told it to finish with what it has",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="ended_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="event_seq",
            field=models.IntegerField(
                db_default=0, default=0, help_text="number of its last event"
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="events",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="of all its work so far"
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="events_cut",
            field=models.BigIntegerField(db_default=0, default=0, help_text="that are in pieces"),
        ),
        migrations.AddField(
            model_name="task",
            name="events_done",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="input_open",
            field=models.BooleanField(
                db_default=False, default=False, help_text="more input may still come"
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="inputs",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="primary input files so far"
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="inputs_done",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="inputs_failed",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="looked_at",
            field=models.DateTimeField(blank=True, help_text="by the engine, last", null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="measured",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="what scouts came to, and what was made of it",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="merges",
            field=models.IntegerField(db_default=0, default=0, help_text="pieces that merge"),
        ),
        migrations.AddField(
            model_name="task",
            name="merges_done",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="merges_failed",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="old_state",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="where a pause goes back to",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="children",
                to="jobs.task",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="pieces",
            field=models.IntegerField(
                db_default=0, default=0, help_text="of work, without merging"
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="pieces_done",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="pieces_failed",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="priority",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="task",
            name="prod_source_label",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddField(
            model_name="task",
            name="request_id",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="request"),
        ),
        migrations.AddField(
            model_name="task",
            name="site",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="brokerage.site",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="spec",
            field=models.JSONField(
                db_default={}, default=dict, help_text="the request, as a TaskSpec"
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="spec_sha256",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="task",
            name="state",
            field=models.CharField(
                blank=True,
                choices=[
                    ("registered", "registered"),
                    ("defined", "defined"),
                    ("assigning", "assigning"),
                    ("ready", "ready"),
                    ("pending", "pending"),
                    ("scouting", "scouting"),
                    ("running", "running"),
                    ("paused", "paused"),
                    ("finishing", "finishing"),
                    ("done", "done"),
                    ("finished", "finished"),
                    ("failed", "failed"),
                    ("aborting", "aborting"),
                    ("aborted", "aborted"),
                    ("broken", "broken"),
                    ("exhausted", "exhausted"),
                ],
                db_default="",
                default="",
                help_text="empty: it only groups jobs",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="state_changed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="state_reason",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="of the last move, or what it waits for",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="tag",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="task",
            name="transformation",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                models.OrderBy(models.F("looked_at"), nulls_first=True),
                models.F("task_id"),
                condition=models.Q(
                    (
                        "state__in",
                        (
                            "registered",
                            "defined",
                            "ready",
                            "pending",
                            "scouting",
                            "running",
                            "finishing",
                            "aborting",
                        ),
                    )
                ),
                name="task_to_look_at",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("state", ""), _negated=True),
                fields=["state", "-task_id"],
                name="task_by_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "",
                            "registered",
                            "defined",
                            "assigning",
                            "ready",
                            "pending",
                            "scouting",
                            "running",
                            "paused",
                            "finishing",
                            "done",
                            "finished",
                            "failed",
                            "aborting",
                            "aborted",
                            "broken",
                            "exhausted",
                        ],
                    )
                ),
                name="task_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("ended_at__isnull", False),
                        (
                            "state__in",
                            (
                                "done",
                                "finished",
                                "failed",
                                "aborted",
                                "broken",
                            ),
                        ),
                    ),
                    models.Q(
                        models.Q(
                            (
                                "state__in",
                                (
                                    "done",
                                    "finished",
                                    "failed",
                                    "aborted",
                                    "broken",
                                ),
                            ),
                            _negated=True,
                        ),
                        ("ended_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="task_ended_iff_final",
            ),
        ),
        migrations.AddField(
            model_name="taskdataset",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="task_uses",
                to="datasets.dataset",
            ),
        ),
        migrations.AddField(
            model_name="taskdataset",
            name="task",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="task_datasets",
                to="jobs.task",
            ),
        ),
        migrations.AddField(
            model_name="taskevent",
            name="task",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="history",
                to="jobs.task",
            ),
        ),
        migrations.AddField(
            model_name="taskinput",
            name="file",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="task_inputs",
                to="datasets.file",
            ),
        ),
        migrations.AddField(
            model_name="taskinput",
            name="task",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="task_inputs",
                to="jobs.task",
            ),
        ),
        migrations.AddField(
            model_name="taskpiece",
            name="task",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="task_pieces",
                to="jobs.task",
            ),
        ),
        migrations.AddField(
            model_name="taskinput",
            name="piece",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="inputs",
                to="jobs.taskpiece",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskdataset",
            constraint=models.UniqueConstraint(
                fields=("task", "role", "place"), name="task_dataset_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="taskevent",
            constraint=models.UniqueConstraint(fields=("task", "seq"), name="task_event_once"),
        ),
        migrations.AddIndex(
            model_name="taskpiece",
            index=models.Index(fields=["panda_id"], name="task_piece_job"),
        ),
        migrations.AddIndex(
            model_name="taskpiece",
            index=models.Index(
                condition=models.Q(("state", "planned")),
                fields=["task", "id"],
                name="task_piece_planned",
            ),
        ),
        migrations.AddIndex(
            model_name="taskpiece",
            index=models.Index(
                condition=models.Q(("state", "failed")),
                fields=["task"],
                name="task_piece_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="taskpiece",
            index=models.Index(
                condition=models.Q(("state", "submitted")),
                fields=["id"],
                name="task_piece_submitted",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskpiece",
            constraint=models.UniqueConstraint(
                fields=("task", "stage", "serial"), name="task_piece_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="taskpiece",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["planned", "submitted", "done", "failed", "dropped"])
                ),
                name="task_piece_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskpiece",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            [
                                "submitted",
                                "done",
                            ],
                        ),
                        _negated=True,
                    ),
                    ("panda_id__isnull", False),
                    _connector="OR",
                ),
                name="task_piece_has_job",
            ),
        ),
        migrations.AddIndex(
            model_name="taskinput",
            index=models.Index(
                condition=models.Q(("piece__isnull", True)),
                fields=["task", "stage", "id"],
                name="task_input_uncut",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskinput",
            constraint=models.UniqueConstraint(
                fields=("task", "stage", "file"), name="task_input_once"
            ),
        ),
        # the moves of today: jobs/tasks_engine/states.py; a test holds both against each other
        migrations.RunSQL(*guard_sql("jobs_task", MOVES)),
    ]
