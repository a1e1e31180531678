from django.db import migrations, models
from django.db.models import Q

# What an ended job has not made, it will not make: its promise would stand for ever.
GIVE_UP = """
UPDATE jobs_jobfile f SET status = 'failed' FROM jobs_job j
WHERE j.panda_id = f.job_id AND j.state IN ('finished', 'failed', 'cancelled')
  AND f.type = 'output' AND f.status IN ('pending', 'transferring')
"""
# Built while the pilots go on reporting.
PROMISED = """
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS output_promised_once ON jobs_jobfile (scope, lfn)
WHERE type = 'output' AND status IN ('pending', 'transferring')
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0005_fewer_indexes")]

    operations = [
        migrations.RunSQL(GIVE_UP, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(PROMISED, "DROP INDEX IF EXISTS output_promised_once")
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="jobfile",
                    constraint=models.UniqueConstraint(
                        condition=Q(type="output", status__in=["pending", "transferring"]),
                        fields=("scope", "lfn"),
                        name="output_promised_once",
                    ),
                )
            ],
        ),
    ]
