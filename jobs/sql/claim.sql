-- The whole of a claim in one round trip and one transaction; called by jobs/dispatch.py alone.
--
-- 1. one answer at a time for a key; 2. the token that the caller was known by is still good, and an
-- earlier answer again; 3. no, when the site or the node is shut; 4. the best activated jobs that fit
-- every fact of the pilot are picked and locked, as many of them as the cap of the site leaves room
-- for; 5. each gets a lease of its own, and with them go the books: event, key, pilot, answer.
--
-- The answer is JSON: {"outcome": ..., "jobs": [...]}, with "text" where an outcome has one.
-- What is plain SQL is kept in few statements, and in few nodes of their plans: to begin one costs
-- more than most of them do. All rows are looked up by key, also where a table is small today.

-- A job is told as three lists: its numbers, its texts, and its inputs and outputs; what stands where
-- is named in jobs/dispatch.py. In an object each column has its name written, its type looked up and
-- its place in the row sought, each time. Jobs and files come in any order, with a number to sort
-- them by: to begin to sort costs PostgreSQL more than all there is to be sorted.

-- The files of one job. One row; the planner puts its text in the place of the call, as it does with
-- jobs_good_token.
CREATE OR REPLACE FUNCTION jobs_files_told(p_job bigint) RETURNS TABLE (files json)
LANGUAGE sql STABLE AS $$
  SELECT json_agg(json_build_object('nr', f.id, 'type', f.type, 'lfn', f.lfn,
    'scope', f.scope, 'dataset', coalesce(d.name, ''), 'guid', k.guid, 'size', k.size,
    'adler32', k.adler32))
  FROM jobs_jobfile f LEFT JOIN datasets_dataset d ON d.id = f.dataset_id
    LEFT JOIN datasets_file k ON k.id = f.file_id
  WHERE f.job_id = p_job AND f.type IN ('input', 'output')
$$;

-- The jobs of an earlier answer, as their pilot was told them.
CREATE OR REPLACE FUNCTION jobs_told(p_jobs bigint[]) RETURNS json
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN (
    SELECT json_agg(json_build_array(
      ARRAY[wanted.nr, j.panda_id, j.attempt_nr, j.job_definition_id, j.task_id, j.core_count,
        j.min_ram_count, j.max_disk_count, j.max_cpu_count],
      ARRAY[j.state, j.lease_sha256, j.job_name, j.prod_source_label, j.processing_type,
        j.transformation, j.job_parameters, j.atlas_release, j.homepackage, j.cmt_config,
        j.prod_user_id, j.working_group, v.name, e.name, e.url]::text[],
      (SELECT f.files FROM jobs_files_told(j.panda_id) f)))
    FROM unnest(p_jobs) WITH ORDINALITY AS wanted (panda_id, nr)
      JOIN jobs_job j ON j.panda_id = wanted.panda_id
      JOIN brokerage_vo v ON v.id = j.vo_id
      LEFT JOIN datasets_storageelement e ON e.id = j.storage_id);
END $$;

-- Whether a job, or a kind of jobs (first line), fits a pilot (the others): the one place that has
-- this rule. The planner puts its text in the place of the call, as long as it is one expression of
-- plain SQL that names none but cheap arguments twice; a test in tests/jobs/test_queue.py looks.
CREATE OR REPLACE FUNCTION jobs_fits(
  label text, vo bigint, processing_type text, release_key text, min_ram_count int,
  max_disk_count int, min_cpu_speed int, core_count int,
  p_labels text[], p_vos bigint[], p_releases text[], p_install text[], p_unchecked bool,
  p_reprocessing text[], p_memory int, p_disk int, p_cpu_speed int, p_cores int
) RETURNS bool LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT label = ANY (p_labels)
    AND min_ram_count <= p_memory AND max_disk_count <= p_disk
    AND min_cpu_speed <= p_cpu_speed AND core_count <= p_cores
    AND (release_key = ANY (p_releases) OR label = ANY (p_install)
      OR (p_unchecked AND processing_type <> ALL (p_reprocessing)))
    AND (p_vos IS NULL OR vo = ANY (p_vos))
$$;

-- Why a site or a node is shut at this moment: the outcome and its words, or no row.
CREATE OR REPLACE FUNCTION jobs_shut(p_site bigint, p_node text, p_now timestamptz)
RETURNS TABLE (outcome text, words text) LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
  RETURN QUERY
  SELECT 'site_offline', s.status_reason::text FROM brokerage_site s
  WHERE s.id = p_site AND s.status = 'offline';
  IF FOUND THEN
    RETURN;
  END IF;
  -- an outage that goes on, as the rule `downtime` of brokerage puts it
  RETURN QUERY
  SELECT 'site_downtime', 'until ' || to_char(o."end" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
    || ' UTC: ' || o.description
  FROM brokerage_downtime o
  WHERE o.site_id = p_site AND o.severity = 'outage' AND o.start <= p_now AND o."end" > p_now
  ORDER BY o."end" DESC LIMIT 1;
  IF FOUND THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT 'node_banned', b.reason::text FROM brokerage_bannednode b
  WHERE b.site_id = p_site AND b.node = p_node AND (b.until IS NULL OR b.until > p_now);
END $$;

CREATE OR REPLACE FUNCTION jobs_claim(
  p_token text, p_account bigint, p_site bigint, p_key text, p_body text, p_pilot_name text,
  p_node text, p_factory text, p_cpu_speed int, p_memory int, p_disk int, p_cores int,
  p_releases text[], p_labels text[], p_install text[], p_reprocessing text[], p_n int,
  p_salt text, p_leases text[], p_sent_seconds int, p_sent_at timestamptz, p_skew_noted int,
  p_now timestamptz
) RETURNS json LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
  v_known bool;     -- the token is good
  v_body text;      -- what the key was used for before
  v_salt text;      -- and what that was answered
  v_earlier bigint[];
  v_tries int[];
  v_offline bool;
  v_outage bool;    -- one goes on, or is announced
  v_banned bool;    -- the node is, or was
  v_no text;        -- the outcome, when there is no job
  v_text text;      -- its words
  v_cap int;
  v_capped bool;    -- there is a row of its room
  v_pilot bigint;
  v_storage bigint;
  v_place text;     -- its name and address
  v_url text;
  v_unchecked bool;
  v_vos bigint[];
  v_kinds bigint[];
  v_n int;
  v_left int;       -- how many more jobs pilots may hold at a site with a cap, at least
  v_each int := CASE WHEN p_n > 1 THEN 14 + 2 * p_n ELSE 4 END;  -- jobs of each kind to look at
  v_node_due bool;  -- its row is to be written: once a minute is enough
  v_more bool := true;
  v_held bigint[];
  v_attempts int[];
  v_told json;
BEGIN
  -- In a statement of its own: what the one before it has committed must be seen below.
  IF NOT pg_try_advisory_xact_lock(hashtextextended(p_key, p_account)) THEN
    RETURN json_build_object('outcome', CASE
      WHEN p_token IS NULL OR jobs_token_holds(p_token, p_account, p_site, v_now)
      THEN 'in_flight' ELSE 'token_gone' END);
  END IF;

  SELECT t.site_id IS NOT NULL, k.body_sha256, k.salt, k.panda_ids, k.attempts,
    f.offline, f.outage_until > v_now, p_node = ANY (f.banned),
    f.job_cap, r.site_id IS NOT NULL, CASE WHEN r.job_cap = f.job_cap THEN r.room ELSE 0 END, p.id,
    f.storage_id, f.storage_name, f.storage_url,
    n.last_claim IS NULL OR n.last_claim < v_now - interval '1 minute', f.any_release, f.vos
  INTO v_known, v_body, v_salt, v_earlier, v_tries, v_offline, v_outage, v_banned, v_cap, v_capped,
    v_left, v_pilot, v_storage, v_place, v_url, v_node_due, v_unchecked, v_vos
  FROM jobs_sitefact f
    LEFT JOIN jobs_good_token(p_token, p_account, p_site, v_now) t ON true
    LEFT JOIN jobs_claimkey k ON k.account_id = p_account AND k.key = p_key
    LEFT JOIN jobs_pilot p ON p.site_id = p_site AND p.pilot_id = p_pilot_name
    LEFT JOIN jobs_siteroom r ON r.site_id = p_site
    LEFT JOIN jobs_node n ON n.site_id = p_site AND n.node = p_node
  WHERE f.site_id = p_site;
  IF p_token IS NOT NULL AND v_known IS NOT TRUE THEN
    RETURN json_build_object('outcome', 'token_gone');
  ELSIF v_body <> p_body THEN
    RETURN json_build_object('outcome', 'key_reused');
  ELSIF v_body IS NOT NULL THEN
    RETURN json_build_object('outcome', 'again', 'salt', v_salt,
      'jobs', jobs_told(v_earlier), 'attempts', v_tries);
  ELSIF v_offline OR v_outage OR v_banned THEN
    SELECT s.outcome, s.words INTO v_no, v_text FROM jobs_shut(p_site, p_node, v_now) s;
  END IF;
  IF v_pilot IS NULL THEN
    INSERT INTO jobs_pilot (site_id, pilot_id, node, factory, cpu_speed_mhz, memory_mb,
      free_disk_mb, first_contact, last_contact, claims, jobs)
    VALUES (p_site, p_pilot_name, p_node, p_factory, p_cpu_speed, p_memory, p_disk, v_now, v_now,
      0, 0)
    ON CONFLICT (site_id, pilot_id) DO UPDATE SET last_contact = v_now RETURNING id INTO v_pilot;
  END IF;
  IF v_node_due THEN
    PERFORM jobs_node_asked(p_site, p_node, v_now);
  END IF;
  IF v_cap = 0 AND v_capped THEN
    DELETE FROM jobs_siteroom WHERE site_id = p_site;  -- from now on nobody counts
  END IF;

  -- Who wants one job gets it from the head of the queue, which is read in its order until one fits
  -- and is free. Where nobody there fits or all are held by others, and for who wants some, the head
  -- of each kind that fits is read, and more of them while all of those were held by others.
  -- Candidates are read without locks; those that others hold are stepped over. The state is checked
  -- once more by the locking read, and by the UPDATE below. The CTEs are materialised: else the
  -- planner may run one of them once per row.
  IF v_no IS NULL AND p_n = 1 THEN
    SELECT ARRAY[j.panda_id], ARRAY[j.attempt_nr + 1] INTO v_held, v_attempts
    FROM (
      SELECT panda_id, prod_source_label, min_ram_count, max_disk_count, min_cpu_speed,
        core_count, atlas_release, cmt_config, processing_type, vo_id
      FROM jobs_job WHERE state = 'activated' AND command = '' AND computing_site_id = p_site
      ORDER BY current_priority DESC, panda_id LIMIT 16
    ) h JOIN jobs_job j ON j.panda_id = h.panda_id
    WHERE jobs_fits(h.prod_source_label, h.vo_id, h.processing_type,
        h.atlas_release || '|' || h.cmt_config, h.min_ram_count, h.max_disk_count, h.min_cpu_speed,
        h.core_count, p_labels, v_vos, p_releases, p_install, v_unchecked, p_reprocessing, p_memory,
        p_disk, p_cpu_speed, p_cores)
      AND j.state = 'activated' AND j.command = ''
    LIMIT 1 FOR UPDATE OF j SKIP LOCKED;
  END IF;
  IF v_no IS NULL AND v_held IS NULL THEN
    SELECT array_agg(requirement) INTO v_kinds FROM jobs_queuekind
    WHERE site_id = p_site AND jobs_fits(label, vo_id, processing_type, release_key,
      min_ram_count, max_disk_count, min_cpu_speed, core_count, p_labels, v_vos, p_releases,
      p_install, v_unchecked, p_reprocessing, p_memory, p_disk, p_cpu_speed, p_cores);
  END IF;
  WHILE v_kinds IS NOT NULL AND v_held IS NULL AND v_more LOOP
    WITH candidate AS MATERIALIZED (
      SELECT of_kind.panda_id FROM unnest(v_kinds) AS kind
      CROSS JOIN LATERAL (
        SELECT panda_id, current_priority FROM jobs_job
        WHERE state = 'activated' AND command = '' AND computing_site_id = p_site
          AND jobs_requirement(prod_source_label, vo_id, processing_type, atlas_release,
            cmt_config, min_ram_count, max_disk_count, min_cpu_speed, core_count) = kind
        ORDER BY current_priority DESC, panda_id LIMIT v_each
      ) of_kind ORDER BY of_kind.current_priority DESC, of_kind.panda_id LIMIT v_each
    ), held AS MATERIALIZED (
      SELECT j.panda_id, j.attempt_nr, j.current_priority FROM jobs_job j
      JOIN candidate USING (panda_id) WHERE j.state = 'activated' AND j.command = ''
      ORDER BY j.current_priority DESC, j.panda_id LIMIT p_n FOR UPDATE OF j SKIP LOCKED
    )
    SELECT array_agg(panda_id ORDER BY current_priority DESC, panda_id),
      array_agg(attempt_nr + 1 ORDER BY current_priority DESC, panda_id),
      (SELECT count(*) = v_each FROM candidate)
    INTO v_held, v_attempts, v_more FROM held;
    v_each := v_each * 8;
  END LOOP;
  -- Who comes next at a site with a cap waits for the row of its room until this claim ends: so it
  -- is taken late, and only for jobs that are there or to say that there may be none.
  IF v_cap > 0 AND v_no IS NULL AND (v_held IS NOT NULL OR v_left <= 0) THEN
    v_n := coalesce(cardinality(v_held), p_n);
    UPDATE jobs_siteroom SET room = room - v_n
    WHERE site_id = p_site AND job_cap = v_cap AND room >= v_n AND v_held IS NOT NULL;
    IF NOT FOUND THEN
      v_n := least(v_n, jobs_room(p_site, v_cap, v_n));
      IF v_n <= 0 THEN
        v_no := 'site_full';
        v_text := v_cap::text;
        v_held := NULL;
      ELSIF v_held IS NOT NULL THEN
        v_held := v_held[:v_n];
        v_attempts := v_attempts[:v_n];
        UPDATE jobs_siteroom SET room = room - v_n WHERE site_id = p_site;
      END IF;
    END IF;
  END IF;
  IF v_held IS NULL THEN
    v_no := coalesce(v_no, 'no_job');
    UPDATE jobs_pilot SET node = p_node, factory = p_factory, cpu_speed_mhz = p_cpu_speed,
      memory_mb = p_memory, free_disk_mb = p_disk, last_contact = v_now, claims = claims + 1
    WHERE id = v_pilot;
    INSERT INTO jobs_answerdelta (site_id, outcome, hour, n)
    VALUES (p_site, v_no, date_trunc('hour', v_now, 'UTC'), 1);
    RETURN json_build_object('outcome', v_no, 'text', v_text);
  END IF;

  -- What is told here is what jobs_told tells; a test holds one beside the other.
  WITH taken AS (
    UPDATE jobs_job j SET state = 'sent', attempt_nr = attempt_nr + 1, event_seq = event_seq + 1,
      storage_id = v_storage, pilot_id = v_pilot, node = p_node,
      lease_sha256 = p_leases[array_position(v_held, panda_id)],
      lease_until = v_now + p_sent_seconds * interval '1 second', report_seq = 0, verdict = '',
      state_change_time = v_now, modification_time = v_now
    WHERE j.panda_id = ANY (v_held) AND j.state = 'activated'
    RETURNING array_position(v_held, panda_id) AS nr, panda_id, state, attempt_nr, lease_sha256,
      job_name, job_definition_id, task_id, prod_source_label, processing_type, transformation,
      job_parameters, atlas_release, homepackage, cmt_config, prod_user_id, working_group,
      core_count, min_ram_count, max_disk_count, max_cpu_count, vo_id, event_seq
  ), noted AS (
    INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
    SELECT panda_id, event_seq, attempt_nr, 'activated', 'sent',
      left('pilot ' || p_pilot_name, 150), v_now,
      jsonb_build_object('node', p_node, 'pilot', p_pilot_name)
      || jobs_skew(p_sent_at, v_now, p_skew_noted)
    FROM taken
  ), keyed AS (
    INSERT INTO jobs_claimkey (account_id, key, body_sha256, salt, panda_ids, attempts, created_at)
    VALUES (p_account, p_key, p_body, p_salt, v_held, v_attempts, v_now)
  ), answered AS (
    INSERT INTO jobs_answerdelta (site_id, outcome, hour, n)
    VALUES (p_site, 'job', date_trunc('hour', v_now, 'UTC'), cardinality(v_held))
  ), contact AS (
    UPDATE jobs_pilot SET node = p_node, factory = p_factory, cpu_speed_mhz = p_cpu_speed,
      memory_mb = p_memory, free_disk_mb = p_disk, last_contact = v_now, claims = claims + 1,
      jobs = jobs + cardinality(v_held)
    WHERE id = v_pilot
  )
  SELECT count(*), json_agg(json_build_array(
    ARRAY[nr, panda_id, attempt_nr, job_definition_id, task_id, core_count, min_ram_count,
      max_disk_count, max_cpu_count],
    ARRAY[state, lease_sha256, job_name, prod_source_label, processing_type, transformation,
      job_parameters, atlas_release, homepackage, cmt_config, prod_user_id, working_group,
      (SELECT v.name FROM brokerage_vo v WHERE v.id = vo_id), v_place, v_url]::text[],
    (SELECT f.files FROM jobs_files_told(panda_id) f)))
  INTO v_n, v_told FROM taken;
  IF v_n IS DISTINCT FROM cardinality(v_held) THEN
    RAISE EXCEPTION 'of the jobs % not all could be taken, though they were locked', v_held;
  END IF;
  RETURN json_build_object('outcome', 'jobs', 'jobs', v_told);
END $$;
