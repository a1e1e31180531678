from django.db import migrations

from jobs.counts import COUNT_TRIGGER
from jobs.models.task import FIRST_TASK_ID
from jobs.states import MOVES
from pandasite.base.guard import guard_sql

# A queue table dies of dead rows at its head: vacuum it early (default: at 20 % dead).
VACUUM = "ALTER TABLE {} SET (autovacuum_vacuum_scale_factor = 0.02)"
VACUUM_BACK = "ALTER TABLE {} RESET (autovacuum_vacuum_scale_factor)"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial"), ("datasets", "0002_guard")]

    operations = [
        migrations.RunSQL(*guard_sql("jobs_job", MOVES)),
        migrations.RunSQL(*COUNT_TRIGGER),
        migrations.RunSQL(
            f"ALTER SEQUENCE jobs_task_task_id_seq RESTART WITH {FIRST_TASK_ID}",
            migrations.RunSQL.noop,
        ),
        *(
            migrations.RunSQL(VACUUM.format(table), VACUUM_BACK.format(table))
            for table in ("jobs_job", "jobs_countdelta")
        ),
    ]
