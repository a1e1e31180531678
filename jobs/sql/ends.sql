-- What became of ended jobs, in sums: errors with what they cost, workflows, nodes (jobs/ends.py).
--
-- A trigger writes a row for each error of a job that ends, in the transaction of the end, and one
-- row for a job without an error. Nobody waits for a shared sum, since rows are only added;
-- `jobs_fold_ends` adds them up, `jobs_recount_ends` makes the sums right from the jobs themselves.

-- The network that a node is in, as far as its name says: wn12.example.org -> example.org. A name
-- without a dot and a bare address say nothing.
CREATE OR REPLACE FUNCTION jobs_domain(p_node text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_node ~ '^[0-9.:]*$' THEN ''
    ELSE coalesce(substring(lower(p_node) FROM '\.(.+)$'), '') END
$$;

-- The errors of an ended job. Just one row is `first`: the error that the job is counted under
-- where jobs are counted. The payload's own comes before what followed from it.
CREATE OR REPLACE FUNCTION jobs_end_errors(p_state text, p_trans int, p_exe int, p_ddm int,
  p_pilot int, p_dispatcher int, p_brokerage int, p_buffer int, p_sup int)
RETURNS TABLE (component text, code int, first boolean) LANGUAGE sql IMMUTABLE AS $$
  SELECT e.component, CASE WHEN e.component = 'none' THEN 0 ELSE e.code END,
    row_number() OVER (ORDER BY e.rank) = 1
  FROM (VALUES (1, 'trans', p_trans), (2, 'exe', p_exe), (3, 'ddm', p_ddm), (4, 'pilot', p_pilot),
    (5, 'job_dispatcher', p_dispatcher), (6, 'brokerage', p_brokerage),
    (7, 'task_buffer', p_buffer), (8, 'sup', p_sup),
    (9, 'none', CASE WHEN p_trans = 0 AND p_exe = 0 AND p_ddm = 0 AND p_pilot = 0
      AND p_dispatcher = 0 AND p_brokerage = 0 AND p_buffer = 0 AND p_sup = 0 THEN 1 ELSE 0 END))
    AS e (rank, component, code)
  WHERE p_state = 'failed' AND e.code <> 0
  UNION ALL SELECT '', 0, true WHERE p_state <> 'failed'
$$;

-- Seconds times cores that a job kept busy: from its start to the last word of its pilot, which is
-- where it went to holding; without such a word to its end. 0 for one that never ran.
CREATE OR REPLACE FUNCTION jobs_busy(p_start timestamptz, p_word timestamptz, p_end timestamptz,
  p_cores int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(floor(greatest(extract(epoch FROM
    coalesce(CASE WHEN p_word >= p_start THEN p_word END, p_end) - p_start), 0))::bigint, 0)
    * greatest(p_cores, 1)
$$;

-- One end, +1 or -1 of everything.
CREATE OR REPLACE FUNCTION jobs_note_end(j jobs_job, p_n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_word timestamptz;
BEGIN
  SELECT max(w.at) INTO v_word FROM jobs_jobevent w
  WHERE w.job_id = j.panda_id AND w.to_state = 'holding';
  INSERT INTO jobs_enddelta (hour, site_id, node, domain, label, processing_type, transformation,
    state, component, code, n, jobs, cpu_s, lost_s, busy_s, latest)
  SELECT date_trunc('hour', j.end_time, 'UTC'), coalesce(j.computing_site_id, 0), j.node,
    jobs_domain(j.node), j.prod_source_label, j.processing_type, j.transformation, j.state,
    e.component, e.code, p_n, CASE WHEN e.first THEN p_n ELSE 0 END, p_n * j.cpu_consumption_time,
    CASE WHEN e.first THEN p_n * j.cpu_consumption_time ELSE 0 END,
    CASE WHEN e.first THEN p_n * jobs_busy(j.start_time, v_word, j.end_time, j.core_count)
      ELSE 0 END,
    CASE WHEN p_n > 0 THEN j.end_time END
  FROM jobs_end_errors(j.state, j.trans_error_code, j.exe_error_code, j.ddm_error_code,
    j.pilot_error_code, j.job_dispatcher_error_code, j.brokerage_error_code,
    j.task_buffer_error_code, j.sup_error_code) e;
END $$;

CREATE OR REPLACE FUNCTION jobs_job_end() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_word timestamptz;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.end_time = NEW.end_time
    AND (OLD.state, OLD.start_time, OLD.computing_site_id, OLD.node,
      OLD.prod_source_label, OLD.processing_type, OLD.transformation, OLD.core_count,
      OLD.cpu_consumption_time, OLD.trans_error_code, OLD.exe_error_code, OLD.ddm_error_code,
      OLD.pilot_error_code, OLD.job_dispatcher_error_code, OLD.brokerage_error_code,
      OLD.task_buffer_error_code, OLD.sup_error_code)
    IS NOT DISTINCT FROM (NEW.state, NEW.start_time, NEW.computing_site_id, NEW.node,
      NEW.prod_source_label, NEW.processing_type, NEW.transformation, NEW.core_count,
      NEW.cpu_consumption_time, NEW.trans_error_code, NEW.exe_error_code, NEW.ddm_error_code,
      NEW.pilot_error_code, NEW.job_dispatcher_error_code, NEW.brokerage_error_code,
      NEW.task_buffer_error_code, NEW.sup_error_code)
  THEN
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' AND OLD.end_time IS NOT NULL THEN
    PERFORM jobs_note_end(OLD, -1);
  END IF;
  IF TG_OP = 'DELETE' OR NEW.end_time IS NULL THEN
    RETURN NULL;
  END IF;
  IF NEW.state = 'failed' THEN
    PERFORM jobs_note_end(NEW, 1);
    RETURN NULL;
  END IF;
  -- What jobs_note_end would write, with fewer calls: most jobs end like this.
  SELECT max(w.at) INTO v_word FROM jobs_jobevent w
  WHERE w.job_id = NEW.panda_id AND w.to_state = 'holding';
  INSERT INTO jobs_enddelta (hour, site_id, node, domain, label, processing_type, transformation,
    state, component, code, n, jobs, cpu_s, lost_s, busy_s, latest)
  VALUES (date_trunc('hour', NEW.end_time, 'UTC'), coalesce(NEW.computing_site_id, 0), NEW.node,
    jobs_domain(NEW.node), NEW.prod_source_label, NEW.processing_type, NEW.transformation,
    NEW.state, '', 0, 1, 1, NEW.cpu_consumption_time, NEW.cpu_consumption_time,
    jobs_busy(NEW.start_time, v_word, NEW.end_time, NEW.core_count), NEW.end_time);
  RETURN NULL;
END $$;

-- The same for jobs that ended from `p_since` on and before `p_until` (NULL: open), of both sides
-- or of the archive alone.
CREATE OR REPLACE FUNCTION jobs_ends(p_since timestamptz, p_until timestamptz, p_archived boolean)
RETURNS TABLE (hour timestamptz, site_id bigint, node text, domain text, label text,
  processing_type text, transformation text, state text, component text, code int, n bigint,
  jobs bigint, cpu_s bigint, lost_s bigint, busy_s bigint, latest timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT date_trunc('hour', j.end_time, 'UTC'), coalesce(j.computing_site_id, 0), j.node::text,
    jobs_domain(j.node), j.prod_source_label::text, j.processing_type::text,
    j.transformation::text, j.state::text, e.component, e.code, 1::bigint,
    CASE WHEN e.first THEN 1::bigint ELSE 0 END, j.cpu_consumption_time::bigint,
    CASE WHEN e.first THEN j.cpu_consumption_time::bigint ELSE 0 END,
    CASE WHEN e.first THEN jobs_busy(j.start_time, (SELECT max(w.at) FROM jobs_anyjobevent w
      WHERE w.job_id = j.panda_id AND w.shelf = j.shelf AND w.to_state = 'holding'),
      j.end_time, j.core_count) ELSE 0 END,
    j.end_time
  FROM jobs_anyjob j CROSS JOIN LATERAL jobs_end_errors(j.state, j.trans_error_code,
    j.exe_error_code, j.ddm_error_code, j.pilot_error_code, j.job_dispatcher_error_code,
    j.brokerage_error_code, j.task_buffer_error_code, j.sup_error_code) e
  WHERE j.end_time IS NOT NULL AND (p_since IS NULL OR j.end_time >= p_since)
    AND (p_until IS NULL OR j.end_time < p_until)
    AND (NOT p_archived OR j.shelf < '9999-01-01 00:00+00')
$$;

-- What a moment is summed under: its hour for three days, then its day, then all that is long ago.
CREATE OR REPLACE FUNCTION jobs_end_bucket(p_hour timestamptz, p_now timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_hour < date_trunc('day', p_now - interval '100 days', 'UTC')
      THEN timestamptz '1970-01-02 00:00+00'
    WHEN p_hour < date_trunc('day', p_now - interval '3 days', 'UTC')
      THEN date_trunc('day', p_hour, 'UTC') ELSE p_hour END
$$;

-- Adds what the statement `p_said` gives (columns of jobs_enddelta) to the tables of sums;
-- returns how many rows it gave. Workflows and nodes are kept for 31 days only. Keys are written
-- in order, so that two that do this at once wait for each other.
CREATE OR REPLACE FUNCTION jobs_sum_ends(p_said text, p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_rows bigint;
BEGIN
  EXECUTE 'WITH said AS MATERIALIZED (' || p_said || $sum$), errors AS (
    INSERT INTO jobs_errorcount AS c (hour, site_id, domain, label, state, component, code, n,
      jobs, cpu_s, lost_s, busy_s, latest)
    SELECT jobs_end_bucket(hour, $1) AS bucket, site_id, domain, label, state, component, code,
      sum(n), sum(jobs), sum(cpu_s), sum(lost_s), sum(busy_s), max(latest)
    FROM said GROUP BY bucket, site_id, domain, label, state, component, code
    ORDER BY bucket, site_id, domain, label, state, component, code
    ON CONFLICT (hour, site_id, domain, label, state, component, code) DO UPDATE
    SET n = c.n + excluded.n, jobs = c.jobs + excluded.jobs, cpu_s = c.cpu_s + excluded.cpu_s,
      lost_s = c.lost_s + excluded.lost_s, busy_s = c.busy_s + excluded.busy_s,
      latest = greatest(c.latest, excluded.latest)
  ), totals AS (
    INSERT INTO jobs_errortotal AS c (hour, label, state, component, code, n, jobs, cpu_s, lost_s,
      busy_s, latest)
    SELECT jobs_end_bucket(hour, $1) AS bucket, label, state, component, code, sum(n), sum(jobs),
      sum(cpu_s), sum(lost_s), sum(busy_s), max(latest)
    FROM said GROUP BY bucket, label, state, component, code
    ORDER BY bucket, label, state, component, code
    ON CONFLICT (hour, label, state, component, code) DO UPDATE
    SET n = c.n + excluded.n, jobs = c.jobs + excluded.jobs, cpu_s = c.cpu_s + excluded.cpu_s,
      lost_s = c.lost_s + excluded.lost_s, busy_s = c.busy_s + excluded.busy_s,
      latest = greatest(c.latest, excluded.latest)
  ), workflows AS (
    INSERT INTO jobs_workflowcount AS c (hour, site_id, label, processing_type, transformation,
      component, code, n, cpu_s)
    SELECT jobs_end_bucket(hour, $1) AS bucket, site_id, label, processing_type, transformation,
      component, code, sum(n), sum(cpu_s)
    FROM said WHERE component <> ''
      AND hour >= date_trunc('day', $1 - interval '31 days', 'UTC')
    GROUP BY bucket, site_id, label, processing_type, transformation, component, code
    ORDER BY bucket, site_id, label, processing_type, transformation, component, code
    ON CONFLICT (hour, site_id, label, processing_type, transformation, component, code)
    DO UPDATE SET n = c.n + excluded.n, cpu_s = c.cpu_s + excluded.cpu_s
  ), nodes AS (
    INSERT INTO jobs_nodecount AS c (hour, site_id, node, finished, failed, cancelled, lost_s,
      latest)
    -- each node, and with the name '' all those of a site together
    SELECT jobs_end_bucket(hour, $1) AS bucket, site_id, coalesce(node, '') AS name,
      coalesce(sum(jobs) FILTER (WHERE state = 'finished'), 0),
      coalesce(sum(jobs) FILTER (WHERE state = 'failed'), 0),
      coalesce(sum(jobs) FILTER (WHERE state = 'cancelled'), 0),
      coalesce(sum(lost_s) FILTER (WHERE state = 'failed'), 0), max(latest)
    FROM said WHERE node <> '' AND hour >= date_trunc('day', $1 - interval '31 days', 'UTC')
    GROUP BY GROUPING SETS ((bucket, site_id, node), (bucket, site_id))
    ORDER BY bucket, site_id, name
    ON CONFLICT (hour, site_id, node) DO UPDATE
    SET finished = c.finished + excluded.finished, failed = c.failed + excluded.failed,
      cancelled = c.cancelled + excluded.cancelled, lost_s = c.lost_s + excluded.lost_s,
      latest = greatest(c.latest, excluded.latest)
  ) SELECT count(*) FROM said $sum$ INTO v_rows USING p_now;
  RETURN v_rows;
END $$;

CREATE OR REPLACE FUNCTION jobs_fold_ends(p_now timestamptz) RETURNS bigint LANGUAGE sql AS $$
  SELECT jobs_sum_ends('DELETE FROM jobs_enddelta RETURNING *', p_now)
$$;

-- Makes the sums right when there are none: from the jobs as one statement sees them, without what
-- the trigger has said of them until then. Nobody is kept waiting.
CREATE OR REPLACE FUNCTION jobs_recount_ends(p_now timestamptz) RETURNS bigint LANGUAGE sql AS $$
  SELECT jobs_sum_ends($said$
    SELECT hour, site_id, node, domain, label, processing_type, transformation, state, component,
      code, n, jobs, cpu_s, lost_s, busy_s, latest FROM jobs_ends(NULL, NULL, false)
    UNION ALL
    SELECT hour, site_id, node, domain, label, processing_type, transformation, state, component,
      code, -n, -jobs, -cpu_s, -lost_s, -busy_s, NULL FROM jobs_enddelta $said$, p_now)
$$;

-- Sums of hours that have become days, and of days that are long ago; nodes and workflows of then
-- are forgotten. Returns how many rows went into others.
CREATE OR REPLACE FUNCTION jobs_merge_ends(p_now timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_rows bigint;
  v_days timestamptz := date_trunc('day', p_now - interval '3 days', 'UTC');
  v_kept timestamptz := date_trunc('day', p_now - interval '31 days', 'UTC');
BEGIN
  WITH old AS (
    DELETE FROM jobs_errorcount WHERE hour < v_days AND hour <> jobs_end_bucket(hour, p_now)
      AND hour > '1970-01-02 00:00+00' RETURNING *
  ), merged AS (
    INSERT INTO jobs_errorcount AS c (hour, site_id, domain, label, state, component, code, n,
      jobs, cpu_s, lost_s, busy_s, latest)
    SELECT jobs_end_bucket(hour, p_now) AS bucket, site_id, domain, label, state, component, code,
      sum(n), sum(jobs), sum(cpu_s), sum(lost_s), sum(busy_s), max(latest)
    FROM old GROUP BY bucket, site_id, domain, label, state, component, code
    ORDER BY bucket, site_id, domain, label, state, component, code
    ON CONFLICT (hour, site_id, domain, label, state, component, code) DO UPDATE
    SET n = c.n + excluded.n, jobs = c.jobs + excluded.jobs, cpu_s = c.cpu_s + excluded.cpu_s,
      lost_s = c.lost_s + excluded.lost_s, busy_s = c.busy_s + excluded.busy_s,
      latest = greatest(c.latest, excluded.latest)
  ) SELECT count(*) INTO v_rows FROM old;
  WITH old AS (
    DELETE FROM jobs_errortotal WHERE hour < v_days AND hour <> jobs_end_bucket(hour, p_now)
      AND hour > '1970-01-02 00:00+00' RETURNING *
  )
  INSERT INTO jobs_errortotal AS c (hour, label, state, component, code, n, jobs, cpu_s, lost_s,
    busy_s, latest)
  SELECT jobs_end_bucket(hour, p_now) AS bucket, label, state, component, code, sum(n), sum(jobs),
    sum(cpu_s), sum(lost_s), sum(busy_s), max(latest)
  FROM old GROUP BY bucket, label, state, component, code
  ORDER BY bucket, label, state, component, code
  ON CONFLICT (hour, label, state, component, code) DO UPDATE
  SET n = c.n + excluded.n, jobs = c.jobs + excluded.jobs, cpu_s = c.cpu_s + excluded.cpu_s,
    lost_s = c.lost_s + excluded.lost_s, busy_s = c.busy_s + excluded.busy_s,
    latest = greatest(c.latest, excluded.latest);
  DELETE FROM jobs_workflowcount WHERE hour < v_kept;
  WITH old AS (
    DELETE FROM jobs_workflowcount WHERE hour < v_days AND hour <> date_trunc('day', hour, 'UTC')
    RETURNING *
  )
  INSERT INTO jobs_workflowcount AS c (hour, site_id, label, processing_type, transformation,
    component, code, n, cpu_s)
  SELECT date_trunc('day', hour, 'UTC') AS bucket, site_id, label, processing_type, transformation,
    component, code, sum(n), sum(cpu_s)
  FROM old GROUP BY bucket, site_id, label, processing_type, transformation, component, code
  ORDER BY bucket, site_id, label, processing_type, transformation, component, code
  ON CONFLICT (hour, site_id, label, processing_type, transformation, component, code)
  DO UPDATE SET n = c.n + excluded.n, cpu_s = c.cpu_s + excluded.cpu_s;
  DELETE FROM jobs_nodecount WHERE hour < v_kept;
  WITH old AS (
    DELETE FROM jobs_nodecount WHERE hour < v_days AND hour <> date_trunc('day', hour, 'UTC')
    RETURNING *
  )
  INSERT INTO jobs_nodecount AS c (hour, site_id, node, finished, failed, cancelled, lost_s,
    latest)
  SELECT date_trunc('day', hour, 'UTC') AS bucket, site_id, node, sum(finished), sum(failed),
    sum(cancelled), sum(lost_s), max(latest)
  FROM old GROUP BY bucket, site_id, node ORDER BY bucket, site_id, node
  ON CONFLICT (hour, site_id, node) DO UPDATE
  SET finished = c.finished + excluded.finished, failed = c.failed + excluded.failed,
    cancelled = c.cancelled + excluded.cancelled, lost_s = c.lost_s + excluded.lost_s,
    latest = greatest(c.latest, excluded.latest);
  RETURN v_rows;
END $$;

CREATE OR REPLACE TRIGGER jobs_job_end_born AFTER INSERT ON jobs_job FOR EACH ROW
  WHEN (NEW.end_time IS NOT NULL) EXECUTE FUNCTION jobs_job_end();
CREATE OR REPLACE TRIGGER jobs_job_end_changed AFTER UPDATE ON jobs_job FOR EACH ROW
  WHEN (OLD.end_time IS NOT NULL OR NEW.end_time IS NOT NULL)
  EXECUTE FUNCTION jobs_job_end();
CREATE OR REPLACE TRIGGER jobs_job_end_gone AFTER DELETE ON jobs_job FOR EACH ROW
  WHEN (OLD.end_time IS NOT NULL
    AND current_setting('pandasite.archiving', true) IS DISTINCT FROM 'on')
  EXECUTE FUNCTION jobs_job_end();
