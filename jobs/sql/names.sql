-- The names of the jobs in the live table, for who searches by how a name begins.
--
-- A table of its own: an index on jobs_job would be written with each change of a job's state, and
-- a name never changes. The triggers work once a statement, for all of its jobs.
CREATE OR REPLACE FUNCTION jobs_name_births() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO jobs_jobname (job_id, name) SELECT panda_id, job_name FROM born;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION jobs_name_goes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM jobs_jobname n USING gone WHERE n.job_id = gone.panda_id;
  RETURN NULL;
END $$;

-- The admin may mend a name.
CREATE OR REPLACE FUNCTION jobs_name_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE jobs_jobname SET name = NEW.job_name WHERE job_id = NEW.panda_id;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER jobs_job_name_insert AFTER INSERT ON jobs_job
  REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION jobs_name_births();
CREATE OR REPLACE TRIGGER jobs_job_name_delete AFTER DELETE ON jobs_job
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION jobs_name_goes();
CREATE OR REPLACE TRIGGER jobs_job_name_update AFTER UPDATE OF job_name ON jobs_job FOR EACH ROW
  WHEN (OLD.job_name IS DISTINCT FROM NEW.job_name) EXECUTE FUNCTION jobs_name_changes();
