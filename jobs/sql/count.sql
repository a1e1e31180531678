-- One row for each change of what a job is counted under: -1 there, +1 here (jobs/counts.py).
-- The triggers that call it are made by the migrations: for updates that change one of the keys,
-- and for deletions.
CREATE OR REPLACE FUNCTION jobs_job_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO jobs_countdelta (cloud_id, site_id, label, state, hour, payload_error, n, latest)
    VALUES (coalesce(OLD.cloud_id, 0), coalesce(OLD.computing_site_id, 0), OLD.prod_source_label,
      OLD.state, coalesce(date_trunc('hour', OLD.end_time, 'UTC'), 'epoch'),
      OLD.state = 'failed' AND (OLD.exe_error_code <> 0 OR OLD.trans_error_code <> 0), -1, NULL);
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
