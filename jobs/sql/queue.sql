-- The kinds of jobs that are, or were of late, activated at a site: what a claim chooses among.
-- The row stands before the job can be claimed, since both are written in one transaction.
-- Nobody waits for it: it is only ever inserted here, and cleared under a table lock (queue.py).
CREATE OR REPLACE FUNCTION jobs_job_queued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO jobs_queuekind (site_id, requirement, label, vo_id, processing_type, release_key,
    min_ram_count, max_disk_count, min_cpu_speed, core_count)
  VALUES (NEW.computing_site_id,
    jobs_requirement(NEW.prod_source_label, NEW.vo_id, NEW.processing_type, NEW.atlas_release,
      NEW.cmt_config, NEW.min_ram_count, NEW.max_disk_count, NEW.min_cpu_speed, NEW.core_count),
    NEW.prod_source_label, NEW.vo_id, NEW.processing_type,
    NEW.atlas_release || '|' || NEW.cmt_config,
    NEW.min_ram_count, NEW.max_disk_count, NEW.min_cpu_speed, NEW.core_count)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS jobs_job_queued ON jobs_job;
CREATE TRIGGER jobs_job_queued AFTER INSERT OR UPDATE OF state, computing_site_id,
    prod_source_label, vo_id, processing_type, atlas_release, cmt_config, min_ram_count,
    max_disk_count, min_cpu_speed, core_count
  ON jobs_job FOR EACH ROW WHEN (NEW.state = 'activated') EXECUTE FUNCTION jobs_job_queued();
