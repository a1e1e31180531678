from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The queues of a site are found by working group, processing type and user."""

    atomic = False  # the index is built while the pilots go on asking
    dependencies = [("jobs", "0026_shares")]

    operations = [
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                "computing_site",
                "working_group",
                "processing_type",
                "prod_user_id",
                models.F("current_priority").desc(),
                "panda_id",
                condition=models.Q(state="activated"),
                name="job_stream",
            ),
        ),
    ]
