from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """The list of what a task read is dropped long after its end."""

    dependencies = [("jobs", "0039_downtime_claim")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="inputs_forgotten_at",
            field=models.DateTimeField(blank=True, help_text="when the list of the files that it read was dropped", null=True),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=Q(("ended_at__isnull", False), ("inputs_forgotten_at", None)) & Q(("inputs__gt", 0), ("merges__gt", 0), _connector="OR"),
                fields=["ended_at"],
                name="task_inputs_kept",
            ),
        ),
    ]
