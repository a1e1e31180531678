from django.db import migrations, models

STAGES = [("build", "build"), ("work", "work"), ("merge", "merge")]


class Migration(migrations.Migration):
    """A task may be cut inside its files, and may build something first."""

    dependencies = [
        ("jobs", "0031_sandboxes"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="taskinput", name="task_input_once"),
        migrations.AddField(
            model_name="taskinput",
            name="first_event",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="taskinput",
            name="n_events",
            field=models.BigIntegerField(db_default=0, default=0, help_text="0: not known"),
        ),
        migrations.AlterField(
            model_name="taskdataset",
            name="role",
            field=models.CharField(
                choices=[
                    ("input", "Input"),
                    ("secondary", "Secondary"),
                    ("output", "Output"),
                    ("built", "built library"),
                    ("merged", "merged output"),
                ],
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="taskinput",
            name="stage",
            field=models.CharField(choices=STAGES, max_length=5),
        ),
        migrations.AlterField(
            model_name="taskpiece",
            name="stage",
            field=models.CharField(choices=STAGES, max_length=5),
        ),
        migrations.AddConstraint(
            model_name="taskinput",
            constraint=models.UniqueConstraint(
                fields=("task", "stage", "file", "first_event"), name="task_input_once"
            ),
        ),
    ]
