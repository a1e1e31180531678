import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What PanDA's own client asked for, and which jobs it looks into."""

    dependencies = [
        ("jobs", "0033_parts_and_builds"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClientTask",
            fields=[
                (
                    "task",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="client",
                        serialize=False,
                        to="jobs.task",
                    ),
                ),
                ("parameters", models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name="DebugMode",
            fields=[
                ("panda_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("on", models.BooleanField()),
                ("set_by", models.CharField(max_length=150)),
                ("set_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("panda_id__gt", 0)), name="debug_mode_of_a_job"
                    )
                ],
            },
        ),
    ]
