from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

from jobs.states import FINAL


class Migration(migrations.Migration):
    """A job that has not ended needs no place in the index of ends: less to write at each move."""

    atomic = False
    dependencies = [("jobs", "0008_ended")]

    operations = [
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                fields=["state", "-end_time"],
                condition=models.Q(state__in=FINAL),
                name="job_final",
            ),
        ),
        RemoveIndexConcurrently(model_name="job", name="job_ended"),
    ]
