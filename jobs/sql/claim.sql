-- The whole of a claim in one round trip and one transaction; called by jobs/dispatch.py alone.
--
-- 1. the token that the caller was known by is still good; 2. one answer at a time for a key, and
-- an earlier answer again; 3. no, when the site or the node is shut or the cap is reached;
-- 4. the best activated jobs that fit every fact of the pilot, each under a lease of its own;
-- 5. the books: event, key, pilot, answer.
--
-- The answer is JSON: {"outcome": ..., "jobs": [...]}, with "text" where an outcome has one.

-- The jobs of an answer, as their pilot is told them; jobs/api/pilot.py adds what is not stored.
CREATE OR REPLACE FUNCTION jobs_told(p_jobs bigint[], p_site bigint) RETURNS jsonb
LANGUAGE sql STABLE SET plan_cache_mode = force_generic_plan AS $$
  SELECT coalesce(jsonb_agg(to_jsonb(told) ORDER BY told.nr), '[]') FROM (
    SELECT wanted.nr, j.panda_id, j.state, j.attempt_nr, j.lease_sha256, j.job_name, j.job_definition_id,
      j.task_id, j.prod_source_label, j.processing_type, j.transformation, j.job_parameters,
      j.atlas_release, j.homepackage, j.cmt_config, j.prod_user_id, j.working_group, j.core_count,
      j.min_ram_count, j.max_disk_count, j.max_cpu_count, v.name AS vo,
      (SELECT jsonb_build_object('name', s.name, 'url', s.url) FROM datasets_storageelement s
        WHERE s.id = coalesce(j.storage_id, (SELECT storage_id FROM datasets_sitestorage
          WHERE site_id = p_site AND role = 'local'))) AS storage,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('type', f.type, 'lfn', f.lfn,
          'scope', f.scope, 'dataset', coalesce(d.name, ''), 'guid', k.guid, 'size', k.size,
          'adler32', k.adler32) ORDER BY f.id), '[]')
        FROM jobs_jobfile f LEFT JOIN datasets_dataset d ON d.id = f.dataset_id
          LEFT JOIN datasets_file k ON k.id = f.file_id
        WHERE f.job_id = j.panda_id AND f.type IN ('input', 'output')) AS files
    FROM unnest(p_jobs) WITH ORDINALITY AS wanted (panda_id, nr)
      JOIN jobs_job j ON j.panda_id = wanted.panda_id
      JOIN brokerage_vo v ON v.id = j.vo_id
  ) told
$$;

-- Up to p_n jobs of these kinds, highest priority first: taken, sent, and in the history.
-- The candidates are read without locks, kind by kind, and only so many of each; those that
-- others hold are stepped over. When all in the window were taken, a wider one is tried.
-- The state is checked once more by the locking read and by the UPDATE, in the statement that
-- takes them. The CTEs are materialised: else the planner may run one of them once per row.
CREATE OR REPLACE FUNCTION jobs_take(
  p_site bigint, p_kinds bigint[], p_n int, p_leases text[], p_until timestamptz, p_pilot bigint,
  p_pilot_name text, p_node text, p_noted jsonb, p_now timestamptz
) RETURNS bigint[] LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_window int := 16 + 2 * p_n;
  v_seen int;
  v_taken bigint[];
BEGIN
  LOOP
    WITH candidate AS MATERIALIZED (
      SELECT head.panda_id FROM unnest(p_kinds) AS kind CROSS JOIN LATERAL (
        SELECT panda_id, current_priority FROM jobs_job
        WHERE state = 'activated' AND command = '' AND computing_site_id = p_site
          AND jobs_requirement(prod_source_label, vo_id, processing_type, atlas_release,
            cmt_config, min_ram_count, max_disk_count, min_cpu_speed, core_count) = kind
        ORDER BY current_priority DESC, panda_id LIMIT v_window
      ) head ORDER BY head.current_priority DESC, head.panda_id LIMIT v_window
    ), held AS MATERIALIZED (
      SELECT j.panda_id, j.current_priority FROM jobs_job j JOIN candidate USING (panda_id)
      WHERE j.state = 'activated' AND j.command = ''
      ORDER BY j.current_priority DESC, j.panda_id LIMIT p_n FOR UPDATE OF j SKIP LOCKED
    ), numbered AS MATERIALIZED (
      SELECT panda_id, row_number() OVER (ORDER BY current_priority DESC, panda_id) AS nr
      FROM held
    ), taken AS (
      UPDATE jobs_job j SET state = 'sent', attempt_nr = attempt_nr + 1,
        event_seq = event_seq + 1,
        storage_id = (SELECT storage_id FROM datasets_sitestorage
          WHERE site_id = p_site AND role = 'local'),
        pilot_id = p_pilot, node = p_node, lease_sha256 = p_leases[nr], lease_until = p_until,
        report_seq = 0, verdict = '', state_change_time = p_now, modification_time = p_now
      FROM numbered n WHERE j.panda_id = n.panda_id AND j.state = 'activated'
      RETURNING j.panda_id, j.attempt_nr, j.event_seq, n.nr
    ), noted AS (
      INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
      SELECT panda_id, event_seq, attempt_nr, 'activated', 'sent', left('pilot ' || p_pilot_name, 150),
        p_now, jsonb_build_object('node', p_node, 'pilot', p_pilot_name) || p_noted
      FROM taken
    )
    SELECT (SELECT array_agg(panda_id ORDER BY nr) FROM taken), (SELECT count(*) FROM candidate)
    INTO v_taken, v_seen;
    EXIT WHEN v_taken IS NOT NULL OR v_seen < v_window;
    v_window := v_window * 8;
  END LOOP;
  RETURN v_taken;
END $$;

CREATE OR REPLACE FUNCTION jobs_claim(
  p_token text, p_account bigint, p_site bigint, p_key text, p_body text, p_pilot_name text,
  p_node text, p_factory text, p_cpu_speed int, p_memory int, p_disk int, p_cores int,
  p_releases text[], p_labels text[], p_install text[], p_reprocessing text[], p_n int,
  p_salt text, p_leases text[], p_sent_seconds int, p_sent_at timestamptz, p_skew_noted int,
  p_now timestamptz
) RETURNS jsonb LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_now timestamptz := coalesce(p_now, clock_timestamp());
  v_earlier jobs_claimkey;
  v_site record;
  v_n int := p_n;
  v_kinds bigint[];
  v_taken bigint[];
  v_pilot bigint;
  v_skew int := round(extract(epoch FROM p_sent_at - v_now));
  v_outcome text := 'no_job';
  v_text text;
BEGIN
  IF p_token IS NOT NULL AND NOT jobs_token_holds(p_token, p_account, p_site, v_now) THEN
    RETURN jsonb_build_object('outcome', 'token_gone');
  END IF;
  IF NOT pg_try_advisory_xact_lock(hashtextextended(p_key, p_account)) THEN
    RETURN jsonb_build_object('outcome', 'in_flight');
  END IF;
  SELECT * INTO v_earlier FROM jobs_claimkey WHERE account_id = p_account AND key = p_key;
  IF FOUND THEN
    IF v_earlier.body_sha256 <> p_body THEN
      RETURN jsonb_build_object('outcome', 'key_reused');
    END IF;
    RETURN jsonb_build_object('outcome', 'again', 'salt', v_earlier.salt,
      'jobs', jobs_told(v_earlier.panda_ids, p_site), 'attempts', to_jsonb(v_earlier.attempts));
  END IF;

  SELECT s.status, s.status_reason, s.job_cap,
    NOT c.releases_checked OR NOT EXISTS (
      SELECT 1 FROM brokerage_installedrelease i WHERE i.site_id = s.id) AS unchecked,
    (SELECT array_agg(vo_id) FROM brokerage_site_vos a WHERE a.site_id = s.id) AS vos,
    (SELECT b.reason FROM brokerage_bannednode b
      WHERE b.site_id = s.id AND b.node = p_node) AS banned,
    (SELECT p.id FROM jobs_pilot p WHERE p.site_id = s.id AND p.pilot_id = p_pilot_name) AS pilot
  INTO v_site
  FROM brokerage_site s JOIN brokerage_cloud c ON c.id = s.cloud_id WHERE s.id = p_site;
  v_pilot := v_site.pilot;
  IF v_pilot IS NULL THEN
    INSERT INTO jobs_pilot (site_id, pilot_id, node, factory, cpu_speed_mhz, memory_mb,
      free_disk_mb, first_contact, last_contact, claims, jobs)
    VALUES (p_site, p_pilot_name, p_node, p_factory, p_cpu_speed, p_memory, p_disk, v_now, v_now,
      0, 0)
    ON CONFLICT (site_id, pilot_id) DO UPDATE SET last_contact = v_now RETURNING id INTO v_pilot;
  END IF;

  IF v_site.status = 'offline' THEN
    v_outcome := 'site_offline';
    v_text := v_site.status_reason;
  ELSIF v_site.banned IS NOT NULL THEN
    v_outcome := 'node_banned';
    v_text := v_site.banned;
  ELSE
    IF v_site.job_cap > 0 THEN
      -- One claim after the other at such a site: each counts what the ones before it took.
      PERFORM pg_advisory_xact_lock(20090918, p_site::int);
      SELECT v_site.job_cap - count(*) INTO v_n FROM jobs_job
      WHERE computing_site_id = p_site AND state IN ('sent', 'starting', 'running');
      v_text := v_site.job_cap::text;
      v_n := least(v_n, p_n);
    END IF;
    IF v_n <= 0 THEN
      v_outcome := 'site_full';
    ELSE
      -- The release is not asked of the pilot where brokerage does not ask the site for it (the
      -- rule `releases` in brokerage/policy/filters.py): such jobs would wait for ever.
      SELECT array_agg(requirement) INTO v_kinds FROM jobs_queuekind
      WHERE site_id = p_site AND label = ANY (p_labels)
        AND min_ram_count <= p_memory AND max_disk_count <= p_disk
        AND min_cpu_speed <= p_cpu_speed AND core_count <= p_cores
        AND (release_key = ANY (p_releases) OR label = ANY (p_install)
          OR (v_site.unchecked AND processing_type <> ALL (p_reprocessing)))
        AND (v_site.vos IS NULL OR vo_id = ANY (v_site.vos));
      IF v_kinds IS NOT NULL THEN
        v_taken := jobs_take(p_site, v_kinds, v_n, p_leases,
          v_now + p_sent_seconds * interval '1 second', v_pilot, p_pilot_name, p_node,
          CASE WHEN abs(v_skew) > p_skew_noted THEN jsonb_build_object('clock_skew_s', v_skew)
            ELSE '{}'::jsonb END, v_now);
      END IF;
    END IF;
  END IF;

  UPDATE jobs_pilot SET node = p_node, factory = p_factory, cpu_speed_mhz = p_cpu_speed,
    memory_mb = p_memory, free_disk_mb = p_disk, last_contact = v_now, claims = claims + 1,
    jobs = jobs + coalesce(cardinality(v_taken), 0)
  WHERE id = v_pilot;
  IF v_taken IS NULL THEN
    INSERT INTO jobs_answerdelta (site_id, outcome, hour, n)
    VALUES (p_site, v_outcome, date_trunc('hour', v_now, 'UTC'), 1);
    RETURN jsonb_build_object('outcome', v_outcome, 'text', v_text, 'jobs', '[]'::jsonb);
  END IF;
  INSERT INTO jobs_answerdelta (site_id, outcome, hour, n)
  VALUES (p_site, 'job', date_trunc('hour', v_now, 'UTC'), cardinality(v_taken));
  INSERT INTO jobs_claimkey (account_id, key, body_sha256, salt, panda_ids, attempts, created_at)
  SELECT p_account, p_key, p_body, p_salt, v_taken, array_agg(j.attempt_nr ORDER BY t.nr), v_now
  FROM unnest(v_taken) WITH ORDINALITY AS t (panda_id, nr) JOIN jobs_job j USING (panda_id);
  RETURN jsonb_build_object('outcome', 'jobs', 'jobs', jobs_told(v_taken, p_site));
END $$;
