from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

from jobs.models.job import HAS_ERROR
from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """Jobs, files of jobs, tasks and nodes are found by how their name begins."""

    atomic = False  # indexes are built while the pilots go on reporting
    dependencies = [("jobs", "0020_usage")]

    operations = [
        migrations.CreateModel(
            name="JobName",
            fields=[
                ("job_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["name", "job_id"],
                        opclasses=["text_pattern_ops", "int8_ops"],
                        name="job_name_begins",
                    )
                ],
            },
        ),
        migrations.RunSQL(sql_file("jobs", "names"), sql_file("jobs", "names_undo")),
        migrations.RunSQL(sql_file("jobs", "names_before"), migrations.RunSQL.noop),
        # The new one serves those that asked the old one as well.
        AddIndexConcurrently(
            model_name="jobfile",
            index=models.Index(
                fields=["lfn", "id"],
                opclasses=["text_pattern_ops", "int8_ops"],
                name="job_file_lfn",
            ),
        ),
        RemoveIndexConcurrently(model_name="jobfile", name="job_file_name"),
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(fields=["-panda_id"], condition=HAS_ERROR, name="job_with_error"),
        ),
        AddIndexConcurrently(
            model_name="task",
            index=models.Index(
                fields=["name"], opclasses=["text_pattern_ops"], name="task_name_begins"
            ),
        ),
        AddIndexConcurrently(
            model_name="node",
            index=models.Index(fields=["node"], opclasses=["text_pattern_ops"], name="node_begins"),
        ),
    ]
