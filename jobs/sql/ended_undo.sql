-- Back to one table: nothing is lost, so this is refused while the archive holds jobs.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM jobs_endedjob) THEN
    RAISE EXCEPTION 'the archive holds jobs: it cannot be taken away';
  END IF;
END $$;
DROP TRIGGER jobs_job_count_delete ON jobs_job;
CREATE TRIGGER jobs_job_count_delete AFTER DELETE ON jobs_job
  FOR EACH ROW EXECUTE FUNCTION jobs_job_count();
DROP FUNCTION jobs_archive, jobs_ended_week, jobs_ended_follow, jobs_sides;
DROP VIEW jobs_anyjob, jobs_anyjobfile, jobs_anyjobevent, jobs_anyjoboutput;
DROP FUNCTION jobs_columns;
DROP TABLE jobs_endedjob, jobs_endedjobfile, jobs_endedjobevent, jobs_endedjoboutput;
