from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Func, OrderBy, Q

# Jobs that were activated before the trigger was there.
KINDS = """
INSERT INTO jobs_queuekind (site_id, requirement, label, vo_id, processing_type, release_key,
  min_ram_count, max_disk_count, min_cpu_speed, core_count)
SELECT DISTINCT computing_site_id, jobs_requirement(prod_source_label, vo_id, processing_type,
    atlas_release, cmt_config, min_ram_count, max_disk_count, min_cpu_speed, core_count),
  prod_source_label, vo_id, processing_type, atlas_release || '|' || cmt_config, min_ram_count,
  max_disk_count, min_cpu_speed, core_count
FROM jobs_job WHERE state = 'activated' ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    """The index of the queues, built while pilots go on asking."""

    atomic = False
    dependencies = [("jobs", "0003_claim")]

    operations = [
        migrations.RunSQL(KINDS, migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                F("computing_site"),
                Func(
                    "prod_source_label",
                    "vo",
                    "processing_type",
                    "atlas_release",
                    "cmt_config",
                    "min_ram_count",
                    "max_disk_count",
                    "min_cpu_speed",
                    "core_count",
                    function="jobs_requirement",
                    output_field=models.BigIntegerField(),
                ),
                OrderBy(F("current_priority"), descending=True),
                F("panda_id"),
                condition=Q(("state", "activated")),
                name="job_queue",
            ),
        ),
        RemoveIndexConcurrently(model_name="job", name="job_claim"),
    ]
