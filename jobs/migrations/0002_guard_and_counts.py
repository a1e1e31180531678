from django.db import migrations

from jobs.models.task import FIRST_TASK_ID
from jobs.states import MOVES
from pandasite.base.guard import guard_sql

# A queue table dies of dead rows at its head: vacuum it early (default: at 20 % dead).
VACUUM = "ALTER TABLE {} SET (autovacuum_vacuum_scale_factor = 0.02)"
VACUUM_BACK = "ALTER TABLE {} RESET (autovacuum_vacuum_scale_factor)"

# As it was then; today's function is in jobs/sql/count.sql.
COUNT_TRIGGER = (
    """
CREATE FUNCTION jobs_job_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
    VALUES (coalesce(OLD.cloud_id, 0), coalesce(OLD.computing_site_id, 0),
      OLD.prod_source_label, OLD.state,
      coalesce(date_trunc('hour', OLD.end_time, 'UTC'), 'epoch'),
      OLD.state = 'failed' AND (OLD.exe_error_code <> 0 OR OLD.trans_error_code <> 0), -1, NULL);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
    VALUES (coalesce(NEW.cloud_id, 0), coalesce(NEW.computing_site_id, 0),
      NEW.prod_source_label, NEW.state,
      coalesce(date_trunc('hour', NEW.end_time, 'UTC'), 'epoch'),
      NEW.state = 'failed' AND (NEW.exe_error_code <> 0 OR NEW.trans_error_code <> 0),
      1, NEW.state_change_time);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER jobs_job_count_insert_delete AFTER INSERT OR DELETE ON jobs_job
  FOR EACH ROW EXECUTE FUNCTION jobs_job_count();
CREATE TRIGGER jobs_job_count_update AFTER UPDATE ON jobs_job FOR EACH ROW
  WHEN ((OLD.state, OLD.cloud_id, OLD.computing_site_id, OLD.prod_source_label)
    IS DISTINCT FROM (NEW.state, NEW.cloud_id, NEW.computing_site_id, NEW.prod_source_label))
  EXECUTE FUNCTION jobs_job_count();
""",
    """
DROP TRIGGER jobs_job_count_update ON jobs_job;
DROP TRIGGER jobs_job_count_insert_delete ON jobs_job;
DROP FUNCTION jobs_job_count();
""",
)


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
