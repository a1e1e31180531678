-- How the names begin that a week of the archive has: `jobs_weekstem` has the beginnings, up to the
-- second dot, of the names of its jobs and of the LFNs of their files.
--
-- Who searches by the beginning of a name looks there first, and then into the weeks that may have
-- it, the latest first. A look into all weeks takes longer the more there are, and much longer on a
-- connection that has not planned it yet.

-- A beginning of the name: up to its second dot, or its first, or three characters.
CREATE OR REPLACE FUNCTION jobs_stem(p_name text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT left(CASE
    WHEN split_part(p_name, '.', 3) <> ''
      THEN split_part(p_name, '.', 1) || '.' || split_part(p_name, '.', 2) || '.'
    WHEN split_part(p_name, '.', 2) <> '' THEN split_part(p_name, '.', 1) || '.'
    ELSE left(p_name, 3)
  END, 40)
$$;

-- The name of the partition of a week.
CREATE OR REPLACE FUNCTION jobs_week_table(p_parent text, p_week timestamptz) RETURNS text
  LANGUAGE sql IMMUTABLE AS $$
  SELECT p_parent || to_char(p_week AT TIME ZONE 'UTC', '_YYYYMMDD')
$$;

-- Where a week has too many of them, the empty one stands for all: that week is always looked into.
CREATE OR REPLACE FUNCTION jobs_shorten_stems(p_week timestamptz) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  v_kind text;
BEGIN
  FOREACH v_kind IN ARRAY ARRAY['job', 'file'] LOOP
    IF (SELECT count(*) FROM (
      SELECT 1 FROM jobs_weekstem WHERE week = p_week AND kind = v_kind LIMIT 5001
    ) many) > 5000 THEN
      DELETE FROM jobs_weekstem WHERE week = p_week AND kind = v_kind;
      INSERT INTO jobs_weekstem (kind, stem, week) VALUES (v_kind, '', p_week);
    END IF;
  END LOOP;
END $$;

-- Notes those of a week whose tables came as they are.
CREATE OR REPLACE FUNCTION jobs_note_stems(p_week timestamptz) RETURNS void
  LANGUAGE plpgsql AS $$
DECLARE
  v_end timestamptz := p_week + interval '168 hours';
BEGIN
  DELETE FROM jobs_weekstem WHERE week = p_week;
  INSERT INTO jobs_weekstem (kind, stem, week)
    SELECT DISTINCT 'job', jobs_stem(job_name), p_week FROM jobs_endedjob
    WHERE end_time >= p_week AND end_time < v_end
    UNION ALL
    SELECT DISTINCT 'file', jobs_stem(lfn), p_week FROM jobs_endedjobfile
    WHERE job_end >= p_week AND job_end < v_end;
  PERFORM jobs_shorten_stems(p_week);
END $$;

-- The weeks that may have names from p_low on, below p_high, the latest first. So many stems may fit
-- that not all of their weeks are found: then it is all weeks.
CREATE OR REPLACE FUNCTION jobs_weeks_named(p_kind text, p_low text, p_high text)
  RETURNS timestamptz[]
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
  v_starts text[] := ARRAY(
    SELECT left(p_low, n) FROM generate_series(0, least(length(p_low), 40)) n);
  v_within timestamptz[] := ARRAY(
    SELECT s.week FROM jobs_weekstem s
    WHERE s.kind = p_kind AND s.stem ~>=~ p_low AND s.stem ~<~ p_high LIMIT 500);
BEGIN
  IF cardinality(v_within) = 500 THEN
    v_within := ARRAY(SELECT to_timestamp(right(c.relname, 8) || ' +00', 'YYYYMMDD TZH')
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'jobs_endedjob'::regclass);
  END IF;
  RETURN ARRAY(SELECT DISTINCT w.week FROM (
    SELECT unnest(v_within) AS week
    UNION ALL
    SELECT s.week FROM jobs_weekstem s WHERE s.kind = p_kind AND s.stem = ANY (v_starts)
  ) w ORDER BY w.week DESC);
END $$;

-- Some ended jobs whose name lies from p_low on, below p_high: those of the latest weeks, and in
-- each week the first by name; and one that is called p_low itself, however old, for that may be
-- what is looked for. Who wants all in the order of the names asks jobs_ended_named.
CREATE OR REPLACE FUNCTION jobs_ended_lately(p_low text, p_high text, p_most integer)
  RETURNS TABLE (key bigint, name text, state text, site_id bigint, at timestamptz)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
  v_weeks timestamptz[] := jobs_weeks_named('job', p_low, p_high);
  v_week timestamptz;
  v_n integer;
BEGIN
  FOREACH v_week IN ARRAY v_weeks[:4] LOOP
    CONTINUE WHEN to_regclass(jobs_week_table('jobs_endedjob', v_week)) IS NULL;
    RETURN QUERY EXECUTE format($week$
      SELECT j.panda_id, j.job_name::text, j.state::text, j.computing_site_id, j.creation_time
      FROM %I j WHERE j.job_name ~>=~ $1 AND j.job_name ~<~ $2
      ORDER BY j.job_name USING ~<~, j.panda_id LIMIT $3
    $week$, jobs_week_table('jobs_endedjob', v_week)) USING p_low, p_high, p_most;
    GET DIAGNOSTICS v_n = ROW_COUNT;
    p_most := p_most - v_n;
    EXIT WHEN p_most <= 0;
  END LOOP;
  IF p_most > 0 AND cardinality(v_weeks) > 4 THEN
    RETURN QUERY SELECT j.panda_id, j.job_name::text, j.state::text, j.computing_site_id,
      j.creation_time FROM jobs_endedjob j
    WHERE j.job_name ~>=~ p_low AND j.job_name ~<~ p_high AND j.end_time < v_weeks[4]
    ORDER BY j.job_name USING ~<~, j.panda_id LIMIT p_most;
  ELSIF p_most <= 0 AND v_week > v_weeks[cardinality(v_weeks)] THEN
    RETURN QUERY SELECT j.panda_id, j.job_name::text, j.state::text, j.computing_site_id,
      j.creation_time FROM jobs_endedjob j
    WHERE j.job_name = p_low AND j.end_time < v_week ORDER BY j.panda_id LIMIT 1;
  END IF;
END $$;

-- The same for the files of ended jobs.
CREATE OR REPLACE FUNCTION jobs_ended_files_lately(p_low text, p_high text, p_most integer)
  RETURNS TABLE (key bigint, name text, job_id bigint, type text, scope text, status text)
  LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
  v_weeks timestamptz[] := jobs_weeks_named('file', p_low, p_high);
  v_week timestamptz;
  v_n integer;
BEGIN
  FOREACH v_week IN ARRAY v_weeks[:4] LOOP
    CONTINUE WHEN to_regclass(jobs_week_table('jobs_endedjobfile', v_week)) IS NULL;
    RETURN QUERY EXECUTE format($week$
      SELECT f.id, f.lfn::text, f.job_id, f.type::text, f.scope::text, f.status::text
      FROM %I f WHERE f.lfn ~>=~ $1 AND f.lfn ~<~ $2
      ORDER BY f.lfn USING ~<~, f.id LIMIT $3
    $week$, jobs_week_table('jobs_endedjobfile', v_week)) USING p_low, p_high, p_most;
    GET DIAGNOSTICS v_n = ROW_COUNT;
    p_most := p_most - v_n;
    EXIT WHEN p_most <= 0;
  END LOOP;
  IF p_most > 0 AND cardinality(v_weeks) > 4 THEN
    RETURN QUERY SELECT f.id, f.lfn::text, f.job_id, f.type::text, f.scope::text, f.status::text
    FROM jobs_endedjobfile f
    WHERE f.lfn ~>=~ p_low AND f.lfn ~<~ p_high AND f.job_end < v_weeks[4]
    ORDER BY f.lfn USING ~<~, f.id LIMIT p_most;
  ELSIF p_most <= 0 AND v_week > v_weeks[cardinality(v_weeks)] THEN
    RETURN QUERY SELECT f.id, f.lfn::text, f.job_id, f.type::text, f.scope::text, f.status::text
    FROM jobs_endedjobfile f
    WHERE f.lfn = p_low AND f.job_end < v_week ORDER BY f.id LIMIT 1;
  END IF;
END $$;
