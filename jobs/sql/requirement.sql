-- What a job asks of a pilot, as one number: jobs with the same number fit the same pilots.
-- The queues are indexed by it, so that jobs that do not fit are never looked at one by one.
CREATE OR REPLACE FUNCTION jobs_requirement(
  label text, vo bigint, processing_type text, atlas_release text, cmt_config text,
  min_ram_count int, max_disk_count int, min_cpu_speed int, core_count int
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT hashtextextended(
    label || chr(1) || vo::text || chr(1) || processing_type || chr(1) || atlas_release || chr(1)
    || cmt_config || chr(1) || min_ram_count::text || chr(1) || max_disk_count::text || chr(1)
    || min_cpu_speed::text || chr(1) || core_count::text, 0)
$$;
