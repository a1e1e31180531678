-- What the page of a task says of its jobs, live and ended ones, through plans that are kept: to plan
-- them takes longer, the more weeks of ended jobs there are, than to read what they find. OFFSET 0
-- keeps the planner from going through all live jobs in their order until it has met enough.

-- How many of its jobs are in which state.
CREATE OR REPLACE FUNCTION jobs_of_task_states(p_task bigint)
  RETURNS TABLE (state text, n bigint)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
  RETURN QUERY SELECT j.state, count(*) FROM (
    SELECT l.state::text FROM jobs_job l WHERE l.task_id = p_task
    UNION ALL SELECT e.state::text FROM jobs_endedjob e WHERE e.task_id = p_task
  ) j GROUP BY 1;
END $$;

-- The errors of its latest failed jobs, up to p_most of them; a job may have one of each component.
CREATE OR REPLACE FUNCTION jobs_of_task_errors(p_task bigint, p_most integer)
  RETURNS TABLE (component text, code integer, n bigint)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
  RETURN QUERY WITH failed AS (
    SELECT * FROM (
      (SELECT l.panda_id, l.brokerage_error_code, l.ddm_error_code, l.exe_error_code,
          l.job_dispatcher_error_code, l.pilot_error_code, l.sup_error_code,
          l.task_buffer_error_code, l.trans_error_code FROM (
            SELECT * FROM jobs_job WHERE task_id = p_task AND state = 'failed' OFFSET 0
          ) l ORDER BY l.panda_id DESC LIMIT p_most)
      UNION ALL
      (SELECT e.panda_id, e.brokerage_error_code, e.ddm_error_code, e.exe_error_code,
          e.job_dispatcher_error_code, e.pilot_error_code, e.sup_error_code,
          e.task_buffer_error_code, e.trans_error_code FROM jobs_endedjob e
        WHERE e.task_id = p_task AND e.state = 'failed' ORDER BY e.panda_id DESC LIMIT p_most)
    ) both_sides ORDER BY panda_id DESC LIMIT p_most
  )
  SELECT e.component, e.code, count(*) FROM failed f CROSS JOIN LATERAL (VALUES
    ('brokerage', f.brokerage_error_code), ('ddm', f.ddm_error_code), ('exe', f.exe_error_code),
    ('job_dispatcher', f.job_dispatcher_error_code), ('pilot', f.pilot_error_code),
    ('sup', f.sup_error_code), ('task_buffer', f.task_buffer_error_code),
    ('trans', f.trans_error_code)
  ) e (component, code) WHERE e.code <> 0 GROUP BY 1, 2;
END $$;

-- The datasets that files of its latest jobs belong to, up to p_most jobs. Each job is a look into the
-- index of its own week.
CREATE OR REPLACE FUNCTION jobs_of_task_datasets(p_task bigint, p_most integer)
  RETURNS TABLE (dataset_id bigint, type text, files bigint)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
  RETURN QUERY WITH latest AS MATERIALIZED (
    SELECT * FROM (
      (SELECT l.panda_id, NULL::timestamptz AS ended FROM (
          SELECT panda_id FROM jobs_job WHERE task_id = p_task OFFSET 0
        ) l ORDER BY l.panda_id DESC LIMIT p_most)
      UNION ALL
      (SELECT e.panda_id, e.end_time FROM jobs_endedjob e
        WHERE e.task_id = p_task ORDER BY e.panda_id DESC LIMIT p_most)
    ) both_sides ORDER BY panda_id DESC LIMIT p_most
  )
  SELECT f.dataset_id, f.type::text, count(*) FROM (
    SELECT f.dataset_id, f.type FROM latest l CROSS JOIN LATERAL (
      SELECT f.dataset_id, f.type FROM jobs_jobfile f WHERE f.job_id = l.panda_id OFFSET 0
    ) f WHERE l.ended IS NULL
    UNION ALL
    SELECT f.dataset_id, f.type FROM latest l CROSS JOIN LATERAL (
      SELECT f.dataset_id, f.type FROM jobs_endedjobfile f
      WHERE f.job_id = l.panda_id AND f.job_end = l.ended OFFSET 0
    ) f WHERE l.ended IS NOT NULL
  ) f WHERE f.dataset_id IS NOT NULL GROUP BY 1, 2;
END $$;
