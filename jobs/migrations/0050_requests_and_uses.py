from django.db import migrations, models

from pandasite.base.sqlfile import sql_file

# Tasks that group the jobs of Bamboo, which did not say their request so far.
REQUESTS = """
UPDATE jobs_task t SET request_id = b.request_id FROM jobs_bambootask b
WHERE b.task_id = t.task_id AND t.request_id IS NULL
"""


class Migration(migrations.Migration):
    """Tasks are found by their request; the jobs of a file without a look into every week's jobs."""

    dependencies = [("jobs", "0049_one_check")]

    operations = [
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["request_id", "-task_id"],
                condition=models.Q(request_id__isnull=False),
                name="task_by_request",
            ),
        ),
        migrations.RunSQL(REQUESTS, migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("jobs", "find"), "DROP FUNCTION jobs_uses"),
    ]
