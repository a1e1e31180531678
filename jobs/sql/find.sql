-- Looks into all weeks of the archive through plans that are kept.
--
-- To plan a query over all partitions takes longer, the more weeks there are, than to look into an
-- index of each. So these are functions, whose plans a connection makes once; what they find tells
-- in which week to look for the rest.

-- Where a job lies: LIVE_SHELF, the end of an ended one, or NULL for none.
CREATE OR REPLACE FUNCTION jobs_shelf(p_job bigint) RETURNS timestamptz
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  found_at timestamptz;
BEGIN
  PERFORM 1 FROM jobs_job WHERE panda_id = p_job;
  IF FOUND THEN
    RETURN '9999-01-01 00:00+00';
  END IF;
  SELECT end_time INTO found_at FROM jobs_endedjob WHERE panda_id = p_job;
  RETURN found_at;
END $$;

-- The job that succeeds a failed one, or NULL.
CREATE OR REPLACE FUNCTION jobs_successor(p_job bigint) RETURNS bigint
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  found_id bigint;
BEGIN
  SELECT panda_id INTO found_id FROM jobs_job WHERE retry_of = p_job;
  IF NOT FOUND THEN
    SELECT panda_id INTO found_id FROM jobs_endedjob WHERE retry_of = p_job;
  END IF;
  RETURN found_id;
END $$;

-- Ended jobs whose name lies from p_low on, below p_high, in the order of the names; of those that
-- are called p_low just the ones behind p_behind.
CREATE OR REPLACE FUNCTION jobs_ended_named(
    p_low text, p_high text, p_behind bigint, p_most integer)
  RETURNS TABLE (key bigint, name text, state text, site_id bigint, at timestamptz)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN QUERY SELECT j.panda_id, j.job_name::text, j.state::text, j.computing_site_id,
    j.creation_time FROM jobs_endedjob j
  WHERE j.job_name ~>=~ p_low AND j.job_name ~<~ p_high
    AND (j.job_name <> p_low OR j.panda_id > p_behind)
  ORDER BY j.job_name USING ~<~, j.panda_id LIMIT p_most;
END $$;

-- The same for the files of ended jobs.
CREATE OR REPLACE FUNCTION jobs_ended_files_named(
    p_low text, p_high text, p_behind bigint, p_most integer)
  RETURNS TABLE (key bigint, name text, job_id bigint, type text, scope text, status text)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN QUERY SELECT f.id, f.lfn::text, f.job_id, f.type::text, f.scope::text, f.status::text
  FROM jobs_endedjobfile f
  WHERE f.lfn ~>=~ p_low AND f.lfn ~<~ p_high AND (f.lfn <> p_low OR f.id > p_behind)
  ORDER BY f.lfn USING ~<~, f.id LIMIT p_most;
END $$;

-- The latest uses of files by jobs, live and ended ones: up to p_most of each file, and of all.
-- A file that all jobs read (a database release) costs no more than one that a single job made.
-- LIMIT 1 keeps each job a look into the index of its own week, whatever the planner thinks.
CREATE OR REPLACE FUNCTION jobs_uses(p_scopes text[], p_lfns text[], p_most integer)
  RETURNS TABLE (job_id bigint, type text, lfn text, status text, state text, task_id bigint,
    transformation text)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN QUERY WITH named AS (
    SELECT n.scope, n.lfn FROM unnest(p_scopes, p_lfns) AS n (scope, lfn)
  ), found AS (
    SELECT f.* FROM named n CROSS JOIN LATERAL (
      SELECT f.job_id, f.type, f.lfn, f.status, NULL::timestamptz AS job_end FROM jobs_jobfile f
      WHERE f.lfn = n.lfn AND f.scope = n.scope ORDER BY f.id DESC LIMIT p_most
    ) f
    UNION ALL
    SELECT f.* FROM named n CROSS JOIN LATERAL (
      SELECT f.job_id, f.type, f.lfn, f.status, f.job_end FROM jobs_endedjobfile f
      WHERE f.lfn = n.lfn AND f.scope = n.scope ORDER BY f.id DESC LIMIT p_most
    ) f
  ), latest AS MATERIALIZED (
    SELECT * FROM found f ORDER BY f.job_id DESC, f.lfn LIMIT p_most
  )
  SELECT l.job_id, l.type::text, l.lfn::text, l.status::text, j.state::text, j.task_id,
    j.transformation::text
  FROM latest l CROSS JOIN LATERAL (
    (SELECT j.state, j.task_id, j.transformation FROM jobs_job j
      WHERE l.job_end IS NULL AND j.panda_id = l.job_id LIMIT 1)
    UNION ALL
    (SELECT j.state, j.task_id, j.transformation FROM jobs_endedjob j
      WHERE j.panda_id = l.job_id AND j.end_time = l.job_end LIMIT 1)
  ) j ORDER BY l.job_id DESC, l.lfn;
END $$;
