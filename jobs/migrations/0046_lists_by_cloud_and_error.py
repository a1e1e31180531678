from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

from jobs.states import FINAL

COMPONENTS = (
    "brokerage", "ddm", "exe", "job_dispatcher", "pilot", "sup", "task_buffer", "trans",
)  # fmt: skip
HAS_ERROR = models.Q()
for component in COMPONENTS:
    HAS_ERROR |= ~models.Q(**{f"{component}_error_code": 0})


class Migration(migrations.Migration):
    """Ended jobs of a cloud, and a rare error, are found without a look at all that ended."""

    atomic = False
    dependencies = [("jobs", "0045_lean_beats")]

    operations = [
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                fields=["cloud", "state", "-end_time"],
                condition=models.Q(state__in=FINAL),
                name="job_cloud_final",
            ),
        ),
        RemoveIndexConcurrently(model_name="job", name="job_with_error"),
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                fields=["-panda_id", *(f"{component}_error_code" for component in COMPONENTS)],
                condition=HAS_ERROR,
                name="job_with_error",
            ),
        ),
    ]
