-- The names of jobs that were there before the triggers of names.sql, in a transaction of its own: what
-- makes triggers keeps all others from writing jobs until it ends. A job that goes meanwhile waits, and
-- takes its name along.
INSERT INTO jobs_jobname (job_id, name) SELECT panda_id, job_name FROM jobs_job FOR KEY SHARE
  ON CONFLICT (job_id) DO NOTHING;
