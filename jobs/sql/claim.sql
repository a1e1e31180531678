-- The whole of a claim in one round trip and one transaction; called by jobs/dispatch.py alone.
--
-- 1. the token that the caller was known by is still good; 2. one answer at a time for a key, and
-- an earlier answer again; 3. no, when the site or the node is shut or the cap is reached;
-- 4. the best activated jobs that fit every fact of the pilot, each under a lease of its own, and
-- with them the books: event, key, pilot, answer.
--
-- The answer is JSON: {"outcome": ..., "jobs": [...]}, with "text" where an outcome has one.
-- What is plain SQL is kept in few statements: to begin one costs more than most of them do.

-- The jobs of an answer, as their pilot is told them; jobs/api/pilot.py adds what is not stored.
CREATE OR REPLACE FUNCTION jobs_told(p_jobs bigint[]) RETURNS json
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN (SELECT json_agg(told ORDER BY told.nr) FROM (
    SELECT wanted.nr, j.panda_id, j.state, j.attempt_nr, j.lease_sha256, j.job_name,
      j.job_definition_id, j.task_id, j.prod_source_label, j.processing_type, j.transformation,
      j.job_parameters, j.atlas_release, j.homepackage, j.cmt_config, j.prod_user_id,
      j.working_group, j.core_count, j.min_ram_count, j.max_disk_count, j.max_cpu_count,
      v.name AS vo,
      (SELECT json_build_object('name', s.name, 'url', s.url) FROM datasets_storageelement s
        WHERE s.id = j.storage_id) AS storage,
      (SELECT coalesce(json_agg(json_build_object('type', f.type, 'lfn', f.lfn,
          'scope', f.scope, 'dataset', coalesce(d.name, ''), 'guid', k.guid, 'size', k.size,
          'adler32', k.adler32) ORDER BY f.id), '[]')
        FROM jobs_jobfile f LEFT JOIN datasets_dataset d ON d.id = f.dataset_id
          LEFT JOIN datasets_file k ON k.id = f.file_id
        WHERE f.job_id = j.panda_id AND f.type IN ('input', 'output')) AS files
    FROM unnest(p_jobs) WITH ORDINALITY AS wanted (panda_id, nr)
      JOIN jobs_job j ON j.panda_id = wanted.panda_id
      JOIN brokerage_vo v ON v.id = j.vo_id
  ) told);
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

CREATE OR REPLACE FUNCTION jobs_claim(
  p_token text, p_account bigint, p_site bigint, p_key text, p_body text, p_pilot_name text,
  p_node text, p_factory text, p_cpu_speed int, p_memory int, p_disk int, p_cores int,
  p_releases text[], p_labels text[], p_install text[], p_reprocessing text[], p_n int,
  p_salt text, p_leases text[], p_sent_seconds int, p_sent_at timestamptz, p_skew_noted int,
  p_now timestamptz
) RETURNS json LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
  v_earlier jobs_claimkey;
  v_no text;    -- the outcome, when there is no job
  v_text text;  -- its words
  v_cap int;
  v_pilot bigint;
  v_storage bigint;
  v_unchecked bool;
  v_vos bigint[];
  v_kinds bigint[];
  v_n int := p_n;
  v_capped bool;
  v_room int;   -- how many more jobs pilots may hold at a site with a cap, at least
  -- How many jobs of the queue's head to look at, and how many of each kind. The head is quicker
  -- to read, and good enough for one job; of some, it might hold one that fits and hide the rest.
  v_head int := CASE WHEN p_n > 1 THEN 0 ELSE 16 END;
  v_each int := CASE WHEN p_n > 1 THEN 14 + 2 * p_n ELSE 0 END;
  v_node_due bool;  -- its row is to be written: once a minute is enough
  v_more bool;
  v_taken bigint[];
BEGIN
  IF p_token IS NOT NULL AND NOT jobs_token_holds(p_token, p_account, p_site, v_now) THEN
    RETURN json_build_object('outcome', 'token_gone');
  END IF;
  -- In a statement of its own: what the one before it has committed must be seen below.
  IF NOT pg_try_advisory_xact_lock(hashtextextended(p_key, p_account)) THEN
    RETURN json_build_object('outcome', 'in_flight');
  END IF;
  SELECT * INTO v_earlier FROM jobs_claimkey WHERE account_id = p_account AND key = p_key;
  IF FOUND THEN
    IF v_earlier.body_sha256 <> p_body THEN
      RETURN json_build_object('outcome', 'key_reused');
    END IF;
    RETURN json_build_object('outcome', 'again', 'salt', v_earlier.salt,
      'jobs', jobs_told(v_earlier.panda_ids), 'attempts', v_earlier.attempts);
  END IF;

  -- The release is not asked of the pilot where brokerage does not ask the site for it (the rule
  -- `releases` in brokerage/policy/filters.py): such jobs would wait for ever.
  SELECT
    CASE WHEN s.status = 'offline' THEN 'site_offline'
      WHEN d.words IS NOT NULL THEN 'site_downtime'
      WHEN b.id IS NOT NULL THEN 'node_banned' END,
    CASE WHEN s.status = 'offline' THEN s.status_reason ELSE coalesce(d.words, b.reason) END,
    s.job_cap, p.id, l.storage_id,
    n.last_claim IS NULL OR n.last_claim < v_now - interval '1 minute',
    r.site_id IS NOT NULL,
    NOT c.releases_checked OR NOT EXISTS (
      SELECT 1 FROM brokerage_installedrelease i WHERE i.site_id = s.id),
    (SELECT array_agg(vo_id) FROM brokerage_site_vos a WHERE a.site_id = s.id)
  INTO v_no, v_text, v_cap, v_pilot, v_storage, v_node_due, v_capped, v_unchecked, v_vos
  FROM brokerage_site s JOIN brokerage_cloud c ON c.id = s.cloud_id
    LEFT JOIN brokerage_bannednode b ON b.site_id = s.id AND b.node = p_node
      AND (b.until IS NULL OR b.until > v_now)
    -- an outage that goes on, as the rule `downtime` of brokerage puts it
    LEFT JOIN LATERAL (
      SELECT 'until ' || to_char(o."end" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC: '
        || o.description AS words
      FROM brokerage_downtime o
      WHERE o.site_id = s.id AND o.severity = 'outage' AND o.start <= v_now AND o."end" > v_now
      ORDER BY o."end" DESC LIMIT 1
    ) d ON true
    LEFT JOIN jobs_pilot p ON p.site_id = s.id AND p.pilot_id = p_pilot_name
    LEFT JOIN jobs_siteroom r ON r.site_id = s.id
    LEFT JOIN jobs_node n ON n.site_id = s.id AND n.node = p_node
    LEFT JOIN datasets_sitestorage l ON l.site_id = s.id AND l.role = 'local'
  WHERE s.id = p_site;
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
  IF v_cap > 0 AND v_no IS NULL THEN
    SELECT room INTO v_room FROM jobs_siteroom
    WHERE site_id = p_site AND job_cap = v_cap FOR UPDATE;
    IF v_room IS NULL OR v_room < p_n THEN
      v_room := jobs_room(p_site, v_cap, p_n);
    END IF;
    v_n := least(p_n, v_room);
    IF v_n <= 0 THEN
      v_no := 'site_full';
      v_text := v_cap::text;
    END IF;
  ELSIF v_cap = 0 AND v_capped THEN
    DELETE FROM jobs_siteroom WHERE site_id = p_site;  -- from now on nobody counts
  END IF;

  -- Who wants one job gets it from the head of the queue. Where nobody there fits or all were held
  -- by others, and for who wants some, the head of each kind that fits is read, and more of them
  -- while all of those were held by others. Candidates are read without locks; those
  -- that others hold are stepped over. The state is checked once more by the locking read and by
  -- the UPDATE, in the statement that takes them. The CTEs are materialised: else the planner may
  -- run one of them once per row.
  WHILE v_no IS NULL LOOP
    IF v_each > 0 AND v_kinds IS NULL THEN
      SELECT array_agg(requirement) INTO v_kinds FROM jobs_queuekind
      WHERE site_id = p_site AND jobs_fits(label, vo_id, processing_type, release_key,
        min_ram_count, max_disk_count, min_cpu_speed, core_count, p_labels, v_vos, p_releases,
        p_install, v_unchecked, p_reprocessing, p_memory, p_disk, p_cpu_speed, p_cores);
      EXIT WHEN v_kinds IS NULL;
    END IF;
    WITH head AS MATERIALIZED (
      SELECT panda_id, prod_source_label, min_ram_count, max_disk_count, min_cpu_speed,
        core_count, atlas_release, cmt_config, processing_type, vo_id
      FROM jobs_job WHERE state = 'activated' AND command = '' AND computing_site_id = p_site
      ORDER BY current_priority DESC, panda_id LIMIT v_head
    ), candidate AS MATERIALIZED (
      SELECT panda_id FROM head h
      WHERE jobs_fits(prod_source_label, vo_id, processing_type,
        atlas_release || '|' || cmt_config, min_ram_count, max_disk_count, min_cpu_speed,
        core_count, p_labels, v_vos, p_releases, p_install, v_unchecked, p_reprocessing, p_memory,
        p_disk, p_cpu_speed, p_cores)
      UNION ALL (
        SELECT of_kind.panda_id FROM unnest(v_kinds) AS kind
        CROSS JOIN LATERAL (
          SELECT panda_id, current_priority FROM jobs_job
          WHERE state = 'activated' AND command = '' AND computing_site_id = p_site
            AND jobs_requirement(prod_source_label, vo_id, processing_type, atlas_release,
              cmt_config, min_ram_count, max_disk_count, min_cpu_speed, core_count) = kind
          ORDER BY current_priority DESC, panda_id LIMIT v_each
        ) of_kind ORDER BY of_kind.current_priority DESC, of_kind.panda_id LIMIT v_each
      )
    ), held AS MATERIALIZED (
      SELECT j.panda_id FROM jobs_job j JOIN candidate USING (panda_id)
      WHERE j.state = 'activated' AND j.command = ''
      ORDER BY j.current_priority DESC, j.panda_id LIMIT v_n FOR UPDATE OF j SKIP LOCKED
    ), taken AS (
      UPDATE jobs_job j SET state = 'sent', attempt_nr = attempt_nr + 1,
        event_seq = event_seq + 1, storage_id = v_storage, pilot_id = v_pilot, node = p_node,
        lease_sha256 = p_leases[h.nr], lease_until = v_now + p_sent_seconds * interval '1 second',
        report_seq = 0, verdict = '', state_change_time = v_now, modification_time = v_now
      FROM (SELECT panda_id, row_number() OVER () AS nr FROM held) h
      WHERE j.panda_id = h.panda_id AND j.state = 'activated'
      RETURNING j.panda_id, j.attempt_nr, j.event_seq, h.nr
    ), noted AS (
      INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
      SELECT panda_id, event_seq, attempt_nr, 'activated', 'sent',
        left('pilot ' || p_pilot_name, 150), v_now,
        jsonb_build_object('node', p_node, 'pilot', p_pilot_name)
        || jobs_skew(p_sent_at, v_now, p_skew_noted)
      FROM taken
    ), keyed AS (
      INSERT INTO jobs_claimkey (account_id, key, body_sha256, salt, panda_ids, attempts,
        created_at)
      SELECT p_account, p_key, p_body, p_salt, array_agg(panda_id ORDER BY nr),
        array_agg(attempt_nr ORDER BY nr), v_now
      FROM taken HAVING count(*) > 0
    ), answered AS (
      INSERT INTO jobs_answerdelta (site_id, outcome, hour, n)
      SELECT p_site, 'job', date_trunc('hour', v_now, 'UTC'), count(*)
      FROM taken HAVING count(*) > 0
    ), contact AS (
      UPDATE jobs_pilot p SET node = p_node, factory = p_factory, cpu_speed_mhz = p_cpu_speed,
        memory_mb = p_memory, free_disk_mb = p_disk, last_contact = v_now,
        claims = claims + 1, jobs = jobs + t.n
      FROM (SELECT count(*) AS n FROM taken HAVING count(*) > 0) t WHERE p.id = v_pilot
    )
    SELECT array_agg(panda_id ORDER BY nr),
      CASE WHEN v_each = 0 THEN (SELECT count(*) = v_head FROM head)
        ELSE (SELECT count(*) = v_each FROM candidate) END
    INTO v_taken, v_more FROM taken;
    IF v_taken IS NOT NULL THEN
      IF v_room IS NOT NULL THEN
        UPDATE jobs_siteroom SET room = v_room - cardinality(v_taken) WHERE site_id = p_site;
      END IF;
      RETURN json_build_object('outcome', 'jobs', 'jobs', jobs_told(v_taken));
    END IF;
    EXIT WHEN NOT v_more;
    v_head := 0;
    v_each := greatest(v_each * 8, 4);
  END LOOP;

  v_no := coalesce(v_no, 'no_job');
  UPDATE jobs_pilot SET node = p_node, factory = p_factory, cpu_speed_mhz = p_cpu_speed,
    memory_mb = p_memory, free_disk_mb = p_disk, last_contact = v_now, claims = claims + 1
  WHERE id = v_pilot;
  INSERT INTO jobs_answerdelta (site_id, outcome, hour, n)
  VALUES (p_site, v_no, date_trunc('hour', v_now, 'UTC'), 1);
  RETURN json_build_object('outcome', v_no, 'text', v_text);
END $$;
