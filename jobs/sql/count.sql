-- One row for each change of what a job is counted under: -1 there, +1 here (jobs/counts.py).
-- The trigger of deletions is made in ended_tables.sql. That of updates has no condition, and those
-- in pulse.sql and ends.sql short ones: PostgreSQL reads the text of a condition anew in each
-- statement that may fire it, which for long ones takes longer than to call the function.
CREATE OR REPLACE FUNCTION jobs_job_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
    VALUES (coalesce(OLD.cloud_id, 0), coalesce(OLD.computing_site_id, 0), OLD.prod_source_label,
      OLD.state, coalesce(date_trunc('hour', OLD.end_time, 'UTC'), 'epoch'),
      OLD.state = 'failed' AND (OLD.exe_error_code <> 0 OR OLD.trans_error_code <> 0), -1, NULL);
    RETURN NULL;
  ELSIF (OLD.state, OLD.cloud_id, OLD.computing_site_id, OLD.prod_source_label)
      IS NOT DISTINCT FROM (NEW.state, NEW.cloud_id, NEW.computing_site_id, NEW.prod_source_label)
  THEN
    RETURN NULL;
  END IF;
  -- Both in one statement: this runs with every move of every job.
  INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
  VALUES (coalesce(OLD.cloud_id, 0), coalesce(OLD.computing_site_id, 0), OLD.prod_source_label,
      OLD.state, coalesce(date_trunc('hour', OLD.end_time, 'UTC'), 'epoch'),
      OLD.state = 'failed' AND (OLD.exe_error_code <> 0 OR OLD.trans_error_code <> 0), -1, NULL),
    (coalesce(NEW.cloud_id, 0), coalesce(NEW.computing_site_id, 0), NEW.prod_source_label,
      NEW.state, coalesce(date_trunc('hour', NEW.end_time, 'UTC'), 'epoch'),
      NEW.state = 'failed' AND (NEW.exe_error_code <> 0 OR NEW.trans_error_code <> 0), 1,
      NEW.state_change_time);
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER jobs_job_count_update
  AFTER UPDATE OF state, cloud_id, computing_site_id, prod_source_label ON jobs_job
  FOR EACH ROW EXECUTE FUNCTION jobs_job_count();
