-- What pilots say, in the common case: called by jobs/quick.py alone.
--
-- Each function takes a report that changes nothing but what a report of its kind always changes.
-- For all else (a killed job, another lease, a wrong state, missing outputs) it changes nothing and
-- answers nothing: then jobs/judge.py decides, and says why. A heartbeat writes the job's pulse
-- and leaves the job alone. Locks are taken in the order job, pulse, PandaIDs ascending.
-- Each asks first whether the token that the caller is known by still holds (NULL: nobody asks),
-- and answers the state token_gone when it does not.

-- Which sample of an attempt a moment is: one each `p_unit` seconds to begin with, and after 24 of
-- them ever rarer, so that 48 do for 1008 units (21 days at half an hour).
CREATE OR REPLACE FUNCTION jobs_sample_slot(p_since timestamptz, p_at timestamptz, p_unit float8)
  RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  -- date_part, not extract: that one counts in numeric, which takes ten times longer
  SELECT least(47, CASE WHEN date_part('epoch', p_at - p_since) < 24 * p_unit
    THEN floor(greatest(date_part('epoch', p_at - p_since), 0) / p_unit)
    ELSE 24 + floor(6.42 * ln(date_part('epoch', p_at - p_since) / (24 * p_unit))) END)::integer
$$;

-- The pilot of a job and its node were heard. Brokerage and dashboard count them as alive for
-- hours: they need no exact time. What somebody else is writing at this moment is left to them.
CREATE OR REPLACE FUNCTION jobs_heard(p_jobs bigint[], p_now timestamptz)
  RETURNS void LANGUAGE sql SET plan_cache_mode = force_generic_plan AS $$
  WITH job AS MATERIALIZED (
    SELECT j.pilot_id, j.computing_site_id, j.node FROM jobs_job j
    WHERE j.panda_id = ANY (p_jobs)
  ), pilots AS MATERIALIZED (
    SELECT p.id FROM jobs_pilot p WHERE p.id IN (SELECT pilot_id FROM job)
    FOR NO KEY UPDATE SKIP LOCKED
  ), called AS (
    UPDATE jobs_pilot p SET last_contact = p_now, last_report = p_now
    FROM pilots WHERE p.id = pilots.id
  ), nodes AS MATERIALIZED (
    SELECT n.id FROM jobs_node n
    WHERE (n.site_id, n.node) IN (SELECT computing_site_id, node FROM job)
      AND (n.last_report IS NULL OR n.last_report < p_now - interval '10 minutes')
    FOR NO KEY UPDATE SKIP LOCKED
  )
  UPDATE jobs_node n SET last_report = p_now FROM nodes WHERE n.id = nodes.id
$$;

-- One heartbeat. `p_now` NULL: the database's clock. No state: not for this function.
CREATE OR REPLACE FUNCTION jobs_beat(
  p_token text, p_account bigint, p_site bigint, p_job bigint, p_attempt integer, p_lease text, p_seq integer, p_word text,
  p_cpu integer, p_rss integer, p_tail text, p_truncated boolean, p_lease_seconds integer,
  p_now timestamptz, OUT state text, OUT replayed boolean
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
  v_until timestamptz := v_now + p_lease_seconds * interval '1 second';
  v_pulse record;
  v_moves boolean;
BEGIN
  SELECT p_token IS NULL OR t.site_id IS NOT NULL AS known, p.job_id, p.state, p.report_seq,
    p.heard_at, p.told_at, p.start_time
  INTO v_pulse FROM (SELECT p_job AS job_id) asked
    LEFT JOIN jobs_good_token(p_token, p_account, p_site, v_now) t ON true
    LEFT JOIN jobs_pulse p ON p.job_id = asked.job_id AND p.site_id = p_site
      AND p.attempt_nr = p_attempt AND p.lease_sha256 = p_lease AND NOT p.commanded;
  IF NOT v_pulse.known THEN
    jobs_beat.state := 'token_gone';
    RETURN;
  ELSIF v_pulse.job_id IS NULL THEN
    RETURN;
  ELSIF p_seq <= v_pulse.report_seq THEN
    jobs_beat.state := v_pulse.state;
    replayed := true;
    RETURN;
  END IF;
  -- "starting" after "running" is a late message: the job stays running.
  v_moves := v_pulse.state <> p_word AND v_pulse.state <> 'running';
  IF v_moves THEN
    PERFORM 1 FROM jobs_job j WHERE j.panda_id = p_job FOR NO KEY UPDATE;
  END IF;
  UPDATE jobs_pulse p SET report_seq = p_seq, heard_at = v_now, lease_until = v_until,
    due = least(p.due, v_until), cpu_consumption_time = coalesce(p_cpu, p.cpu_consumption_time),
    max_rss_mb = greatest(p.max_rss_mb, p_rss),
    told_at = CASE WHEN p.told_at > v_now - interval '1 hour' THEN p.told_at ELSE v_now END
  WHERE p.job_id = p_job AND p.attempt_nr = p_attempt AND p.lease_sha256 = p_lease
    AND p.state = v_pulse.state AND p.report_seq = v_pulse.report_seq AND NOT p.commanded;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  jobs_beat.state := CASE WHEN v_moves THEN p_word ELSE v_pulse.state END;
  replayed := false;
  IF v_moves THEN
    IF p_word = 'running' THEN
      v_pulse.start_time := coalesce(v_pulse.start_time, v_now);
    END IF;
    WITH moved AS (
      UPDATE jobs_job j SET state = p_word, event_seq = j.event_seq + 1, lease_until = v_until,
        report_seq = p_seq, start_time = v_pulse.start_time, state_change_time = v_now,
        modification_time = v_now
      WHERE j.panda_id = p_job RETURNING j.event_seq, j.node
    )
    INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
    SELECT p_job, event_seq, p_attempt, v_pulse.state, p_word, left('pilot at ' || node, 150),
      v_now, '{}' FROM moved;
  END IF;

  IF p_tail IS NOT NULL THEN
    INSERT INTO jobs_joboutput AS o (job_id, attempt_nr, tail, truncated, at)
    VALUES (p_job, p_attempt, p_tail, p_truncated, v_now)
    ON CONFLICT (job_id) DO UPDATE SET attempt_nr = excluded.attempt_nr, tail = excluded.tail,
      truncated = excluded.truncated, at = excluded.at;
  END IF;
  IF jobs_beat.state = 'running' AND coalesce(p_cpu, p_rss) IS NOT NULL AND (v_moves
      OR jobs_sample_slot(v_pulse.start_time, v_now, p_lease_seconds / 4.0)
        > jobs_sample_slot(v_pulse.start_time, v_pulse.heard_at, p_lease_seconds / 4.0)) THEN
    INSERT INTO jobs_sample (job_id, attempt_nr, at, cpu_consumption_time, rss_mb)
    VALUES (p_job, p_attempt, v_now, p_cpu, p_rss);
  END IF;
  IF v_pulse.told_at IS NULL OR v_pulse.told_at <= v_now - interval '1 hour' THEN
    PERFORM jobs_heard(ARRAY[p_job], v_now);
  END IF;
END $$;

-- Many heartbeats at once, each of another job, that change no job's state. The rows are those
-- that were heard; the reports of all other jobs are not for this function.
CREATE OR REPLACE FUNCTION jobs_beats(
  p_token text, p_account bigint, p_site bigint, p_jobs bigint[], p_attempts integer[], p_leases text[], p_seqs integer[],
  p_words text[], p_cpus integer[], p_rsss integer[], p_tails text[], p_truncated boolean[],
  p_lease_seconds integer, p_now timestamptz
) RETURNS TABLE (panda_id bigint, state text, replayed boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
  v_until timestamptz := v_now + p_lease_seconds * interval '1 second';
  v_hour timestamptz := v_now - interval '1 hour';
BEGIN
  IF p_token IS NOT NULL AND NOT jobs_token_holds(p_token, p_account, p_site, v_now) THEN
    RETURN QUERY SELECT NULL::bigint, 'token_gone', NULL::boolean;
    RETURN;
  END IF;
  -- Rows are written in the order of `held`, which the joins by key keep: so no two calls wait for
  -- each other. A row is written where it was found; whoever was faster since the look has changed
  -- what the UPDATE asks once more. Another attempt, or lease, has another row.
  RETURN QUERY
  WITH held AS MATERIALIZED (
    SELECT s.job, s.attempt, s.seq, s.cpu, s.rss, s.tail, s.truncated, p.ctid AS place,
      p.state::text AS state, p.report_seq, p.heard_at, p.told_at, p.start_time
    FROM unnest(p_jobs, p_attempts, p_leases, p_seqs, p_words, p_cpus, p_rsss, p_tails,
      p_truncated) AS s (job, attempt, lease, seq, word, cpu, rss, tail, truncated)
    JOIN jobs_pulse p ON p.job_id = s.job
    WHERE p.site_id = p_site AND p.attempt_nr = s.attempt AND p.lease_sha256 = s.lease
      AND NOT p.commanded AND (p.state = s.word OR p.state = 'running')
    ORDER BY s.job
  ), heard AS (
    UPDATE jobs_pulse p SET report_seq = h.seq, heard_at = v_now, lease_until = v_until,
      due = least(p.due, v_until), cpu_consumption_time = coalesce(h.cpu, p.cpu_consumption_time),
      max_rss_mb = greatest(p.max_rss_mb, h.rss),
      told_at = CASE WHEN p.told_at > v_hour THEN p.told_at ELSE v_now END
    FROM held h WHERE h.seq > h.report_seq AND p.ctid = h.place AND p.job_id = h.job
      AND p.attempt_nr = h.attempt AND p.state = h.state AND p.report_seq = h.report_seq
      AND NOT p.commanded
    RETURNING h.job, h.attempt, h.cpu, h.rss, h.tail, h.truncated, h.state, h.heard_at, h.told_at,
      h.start_time
  ), kept AS (
    INSERT INTO jobs_joboutput AS o (job_id, attempt_nr, tail, truncated, at)
    SELECT h.job, h.attempt, h.tail, h.truncated, v_now FROM heard h WHERE h.tail IS NOT NULL
    ON CONFLICT (job_id) DO UPDATE SET attempt_nr = excluded.attempt_nr, tail = excluded.tail,
      truncated = excluded.truncated, at = excluded.at
  ), sampled AS (
    INSERT INTO jobs_sample (job_id, attempt_nr, at, cpu_consumption_time, rss_mb)
    SELECT h.job, h.attempt, v_now, h.cpu, h.rss FROM heard h
    WHERE h.state = 'running' AND coalesce(h.cpu, h.rss) IS NOT NULL
      AND jobs_sample_slot(h.start_time, v_now, p_lease_seconds / 4.0)
        > jobs_sample_slot(h.start_time, h.heard_at, p_lease_seconds / 4.0)
  ), untold AS (
    SELECT array_agg(h.job) AS jobs FROM heard h WHERE h.told_at IS NULL OR h.told_at <= v_hour
  ), told AS MATERIALIZED (
    SELECT jobs_heard(u.jobs, v_now) FROM untold u WHERE u.jobs IS NOT NULL
  )
  SELECT h.job, h.state, false FROM heard h
  WHERE (SELECT count(*) FROM told) >= 0  -- which is to say: tell them
  UNION ALL SELECT h.job, h.state, true FROM held h WHERE h.seq <= h.report_seq;
END $$;

-- A final word. `p_files` is the list of {lfn, guid, size, adler32, events} of a finished job,
-- `p_log` the log file under the name of its attempt; `p_reason` is what the event is to say.
-- Each of the error columns stays as it is where it is NULL. No state: not for this function.
CREATE OR REPLACE FUNCTION jobs_final_word(
  p_token text, p_account bigint, p_site bigint, p_job bigint, p_attempt integer, p_lease text, p_seq integer, p_word text,
  p_cpu integer, p_rss integer, p_tail text, p_truncated boolean, p_exit integer,
  p_pilot_code integer, p_pilot_diag text, p_exe_code integer, p_exe_diag text,
  p_files jsonb, p_log jsonb, p_log_scope text, p_reason jsonb, p_sent_at timestamptz,
  p_skew_noted integer, p_now timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
  v_node text;
  v_pulse record;
  v_files record;
BEGIN
  IF p_token IS NOT NULL AND NOT jobs_token_holds(p_token, p_account, p_site, v_now) THEN
    RETURN 'token_gone';
  END IF;
  SELECT j.node INTO v_node FROM jobs_job j WHERE j.panda_id = p_job FOR NO KEY UPDATE;
  SELECT p.state, p.cpu_consumption_time, p.max_rss_mb INTO v_pulse FROM jobs_pulse p
  WHERE p.job_id = p_job AND p.site_id = p_site AND p.attempt_nr = p_attempt
    AND p.lease_sha256 = p_lease AND p.report_seq < p_seq AND NOT p.commanded FOR UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;

  IF p_word = 'finished' THEN
    SELECT count(*) AS declared, count(DISTINCT f.lfn) AS names, count(s.lfn) AS made
    INTO v_files FROM jobs_jobfile f
    LEFT JOIN jsonb_to_recordset(p_files) AS s (lfn text) ON s.lfn = f.lfn
    WHERE f.job_id = p_job AND f.type = 'output';
    IF v_files.declared <> jsonb_array_length(p_files) OR v_files.made <> v_files.declared
        OR v_files.names <> v_files.declared THEN
      RETURN NULL;
    END IF;
    UPDATE jobs_jobfile f SET guid = s.guid, size = s.size, adler32 = s.adler32, events = s.events
    FROM jsonb_to_recordset(p_files)
      AS s (lfn text, guid text, size bigint, adler32 text, events bigint)
    WHERE f.job_id = p_job AND f.type = 'output' AND f.lfn = s.lfn;
  END IF;
  IF p_log IS NOT NULL THEN
    INSERT INTO jobs_jobfile AS f (job_id, type, scope, lfn, status, guid, size, adler32, events)
    SELECT p_job, 'log', p_log_scope, s.lfn, 'pending', s.guid, s.size, s.adler32, s.events
    FROM jsonb_to_record(p_log)
      AS s (lfn text, guid text, size bigint, adler32 text, events bigint)
    ON CONFLICT (job_id, scope, lfn) DO UPDATE SET guid = excluded.guid, size = excluded.size,
      adler32 = excluded.adler32, events = excluded.events;
  END IF;
  IF p_tail IS NOT NULL THEN
    INSERT INTO jobs_joboutput AS o (job_id, attempt_nr, tail, truncated, at)
    VALUES (p_job, p_attempt, p_tail, p_truncated, v_now)
    ON CONFLICT (job_id) DO UPDATE SET attempt_nr = excluded.attempt_nr, tail = excluded.tail,
      truncated = excluded.truncated, at = excluded.at;
  END IF;

  WITH moved AS (
    UPDATE jobs_job j SET state = 'holding', verdict = p_word, event_seq = j.event_seq + 1,
      lease_until = NULL, report_seq = p_seq, start_time = coalesce(j.start_time, v_now),
      state_change_time = v_now, modification_time = v_now,
      cpu_consumption_time = coalesce(p_cpu, v_pulse.cpu_consumption_time),
      max_rss_mb = greatest(v_pulse.max_rss_mb, p_rss),
      trans_exit_code = coalesce(p_exit, j.trans_exit_code),
      pilot_error_code = coalesce(p_pilot_code, j.pilot_error_code),
      pilot_error_diag = coalesce(p_pilot_diag, j.pilot_error_diag),
      exe_error_code = coalesce(p_exe_code, j.exe_error_code),
      exe_error_diag = coalesce(p_exe_diag, j.exe_error_diag)
    WHERE j.panda_id = p_job RETURNING j.event_seq
  )
  INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
  SELECT p_job, event_seq, p_attempt, v_pulse.state, 'holding', left('pilot at ' || v_node, 150),
    v_now, p_reason || jobs_skew(p_sent_at, v_now, p_skew_noted) FROM moved;
  RETURN 'holding';
END $$;
