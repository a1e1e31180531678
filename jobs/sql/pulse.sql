-- The pulse of a job: one narrow row while a pilot holds it, which its heartbeats write, and which
-- knows enough of the job that a heartbeat need not look at it.

-- Keeps a row for exactly the jobs that have a lease, whoever gives or ends it or commands
-- something, in the transaction of the change: so that a heartbeat, which locks the row, comes
-- before it or after. AFTER triggers: the change has passed all that could refuse it.
CREATE OR REPLACE FUNCTION jobs_job_pulse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.lease_until IS NOT NULL AND NEW.lease_until IS NOT NULL THEN
    IF (OLD.state, OLD.start_time, OLD.command, OLD.command_attempt)
        IS DISTINCT FROM (NEW.state, NEW.start_time, NEW.command, NEW.command_attempt) THEN
      UPDATE jobs_pulse SET state = NEW.state, start_time = NEW.start_time,
        commanded = NEW.command <> '' AND NEW.command_attempt = NEW.attempt_nr
      WHERE job_id = NEW.panda_id;
    END IF;
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' AND OLD.lease_until IS NOT NULL THEN
    DELETE FROM jobs_pulse WHERE job_id = OLD.panda_id;
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.lease_until IS NOT NULL THEN
    INSERT INTO jobs_pulse (job_id, attempt_nr, site_id, lease_sha256, state, start_time,
      commanded, report_seq, heard_at, lease_until, due, cpu_consumption_time, max_rss_mb)
    VALUES (NEW.panda_id, NEW.attempt_nr, NEW.computing_site_id, NEW.lease_sha256, NEW.state,
      NEW.start_time, NEW.command <> '' AND NEW.command_attempt = NEW.attempt_nr, NEW.report_seq,
      NEW.modification_time, NEW.lease_until, NEW.lease_until, NEW.cpu_consumption_time,
      NEW.max_rss_mb);
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER jobs_job_pulse_born AFTER INSERT ON jobs_job FOR EACH ROW
  WHEN (NEW.lease_until IS NOT NULL) EXECUTE FUNCTION jobs_job_pulse();
CREATE OR REPLACE TRIGGER jobs_job_pulse_changed AFTER UPDATE ON jobs_job FOR EACH ROW
  WHEN (OLD.lease_until IS NOT NULL OR NEW.lease_until IS NOT NULL)
  EXECUTE FUNCTION jobs_job_pulse();
CREATE OR REPLACE TRIGGER jobs_job_pulse_gone AFTER DELETE ON jobs_job FOR EACH ROW
  WHEN (OLD.lease_until IS NOT NULL) EXECUTE FUNCTION jobs_job_pulse();
