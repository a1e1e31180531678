-- Ended jobs with their files, events and output, apart from the live ones.
--
-- The tables have the columns of the live ones and are partitioned by the week of the job's end,
-- Monday to Monday, UTC. They have no foreign keys: a partition goes in a moment, and nothing that
-- a job names may be deleted while the view `jobs_anyjob` shows one that names it.

CREATE TABLE jobs_endedjob (
  LIKE jobs_job,
  PRIMARY KEY (panda_id, end_time),
  -- lists of live states need not look here
  CONSTRAINT endedjob_is_final CHECK (state IN ('finished', 'failed', 'cancelled'))
) PARTITION BY RANGE (end_time);
CREATE TABLE jobs_endedjobfile (
  LIKE jobs_jobfile, job_end timestamptz, PRIMARY KEY (id, job_end)
) PARTITION BY RANGE (job_end);
CREATE TABLE jobs_endedjobevent (
  LIKE jobs_jobevent, job_end timestamptz, PRIMARY KEY (id, job_end)
) PARTITION BY RANGE (job_end);
CREATE TABLE jobs_endedjoboutput (
  LIKE jobs_joboutput, job_end timestamptz, PRIMARY KEY (job_id, job_end)
) PARTITION BY RANGE (job_end);

-- job lists by site and state, newest first
CREATE INDEX endedjob_site_state ON jobs_endedjob (computing_site_id, state, panda_id DESC);
-- job lists by state over the last hours
CREATE INDEX endedjob_ended ON jobs_endedjob (state, end_time DESC);
-- job lists in the order of a time, latest first
CREATE INDEX endedjob_by_end ON jobs_endedjob (end_time DESC NULLS LAST, panda_id DESC);
CREATE INDEX endedjob_by_change ON jobs_endedjob (state_change_time DESC, panda_id DESC);
CREATE INDEX endedjob_by_birth ON jobs_endedjob (creation_time DESC, panda_id DESC);
-- the errors of a site over the last hours
CREATE INDEX endedjob_failed ON jobs_endedjob (computing_site_id, end_time DESC)
  WHERE state = 'failed';
-- jobs of a task, newest first; how many are in which state, from the index alone
CREATE INDEX endedjob_task ON jobs_endedjob (task_id, panda_id DESC) INCLUDE (state)
  WHERE task_id IS NOT NULL;
-- job lists by user, newest first
CREATE INDEX endedjob_user ON jobs_endedjob (prod_user_id, panda_id DESC);
-- the admin's search by owner; whether a user may be deleted
CREATE INDEX endedjob_owner ON jobs_endedjob (owner_id);
-- the successor of a job
CREATE INDEX endedjob_retry ON jobs_endedjob (retry_of) WHERE retry_of IS NOT NULL;
-- housekeeping: decisions that no job shows any more
CREATE INDEX endedjob_decision ON jobs_endedjob (decision_id) WHERE decision_id IS NOT NULL;
-- what belongs to a job
CREATE INDEX endedjobfile_job ON jobs_endedjobfile (job_id);
CREATE UNIQUE INDEX endedjobevent_job ON jobs_endedjobevent (job_id, seq, job_end);

-- The counts of jobs stay as they are when a job moves.
DROP TRIGGER jobs_job_count_delete ON jobs_job;
CREATE TRIGGER jobs_job_count_delete AFTER DELETE ON jobs_job FOR EACH ROW
  WHEN (current_setting('pandasite.archiving', true) IS DISTINCT FROM 'on')
  EXECUTE FUNCTION jobs_job_count();
