DROP TRIGGER jobs_job_name_insert ON jobs_job;
DROP TRIGGER jobs_job_name_delete ON jobs_job;
DROP TRIGGER jobs_job_name_update ON jobs_job;
DROP FUNCTION jobs_name_births, jobs_name_goes, jobs_name_changes;
