-- What one claim needs: the words of its answer, what fits its pilot, why it gets nothing. The claim
-- itself, alone or with others, is in claims.sql.

-- A claim as it is asked for; jobs/many_claims.py writes the same columns.
DO $$ BEGIN
  CREATE TYPE jobs_ask AS (
    token text, account bigint, site bigint, key text, body text, pilot_id text, node text,
    factory text, cpu_speed_mhz int, memory_mb int, free_disk_mb int, core_count int,
    releases text[], labels text[], n_jobs int, salt text, leases text[], sent_at timestamptz);
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

-- A claim on its way: what is known, and what it gets. What was asked stays where it is: each column
-- more is one in every step of a plan.
DO $$ BEGIN
  CREATE TYPE jobs_claiming AS (
    nr int,            -- its place among those that are asked
    pilot bigint,
    node_due bool,     -- its row is to be written: once a minute is enough
    storage bigint, storage_name text, storage_url text,
    cap int,
    capped bool,       -- there is a row of the site's room
    room int,          -- how many more jobs pilots may hold at a site with a cap, at least
    outcome text,      -- NULL: nothing speaks against it
    held bigint[], attempts int[],
    words text);
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

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

-- The jobs of a claim that was not helped by the head of the queue, or wants some: the head of each
-- kind that fits is read, and more of them while all of those were held by others. Candidates are
-- read without locks; those that others hold are stepped over. The state is checked once more by the
-- locking read, and by the UPDATE later. The CTEs are materialised: else the planner may run one of
-- them once per row.
CREATE OR REPLACE FUNCTION jobs_claims_search(
  c jobs_claiming, p_ask jobs_ask, p_install text[], p_reprocessing text[], p_taken bigint[]
) RETURNS jobs_claiming LANGUAGE plpgsql AS $$
DECLARE
  v_kinds bigint[];
  v_n int := p_ask.n_jobs;
  v_each int := CASE WHEN v_n > 1 THEN 14 + 2 * v_n ELSE 4 END;  -- jobs of each kind to look at
  v_more bool := true;
BEGIN
  SELECT array_agg(k.requirement) INTO v_kinds
  FROM jobs_queuekind k JOIN jobs_sitefact f ON f.site_id = p_ask.site
  WHERE k.site_id = p_ask.site AND jobs_fits(k.label, k.vo_id, k.processing_type, k.release_key,
    k.min_ram_count, k.max_disk_count, k.min_cpu_speed, k.core_count, p_ask.labels, f.vos,
    p_ask.releases, p_install, f.any_release, p_reprocessing, p_ask.memory_mb, p_ask.free_disk_mb,
    p_ask.cpu_speed_mhz, p_ask.core_count);
  WHILE v_kinds IS NOT NULL AND c.held IS NULL AND v_more LOOP
    WITH candidate AS MATERIALIZED (
      SELECT of_kind.panda_id FROM unnest(v_kinds) AS kind
      CROSS JOIN LATERAL (
        SELECT panda_id, current_priority FROM jobs_job
        WHERE state = 'activated' AND command = '' AND computing_site_id = p_ask.site
          AND jobs_requirement(prod_source_label, vo_id, processing_type, atlas_release,
            cmt_config, min_ram_count, max_disk_count, min_cpu_speed, core_count) = kind
          AND panda_id <> ALL (p_taken)
        ORDER BY current_priority DESC, panda_id LIMIT v_each
      ) of_kind ORDER BY of_kind.current_priority DESC, of_kind.panda_id LIMIT v_each
    ), held AS MATERIALIZED (
      SELECT j.panda_id, j.attempt_nr, j.current_priority FROM jobs_job j
      JOIN candidate USING (panda_id) WHERE j.state = 'activated' AND j.command = ''
      ORDER BY j.current_priority DESC, j.panda_id LIMIT v_n FOR UPDATE OF j SKIP LOCKED
    )
    SELECT array_agg(panda_id ORDER BY current_priority DESC, panda_id),
      array_agg(attempt_nr + 1 ORDER BY current_priority DESC, panda_id),
      (SELECT count(*) = v_each FROM candidate)
    INTO c.held, c.attempts, v_more FROM held;
    v_each := v_each * 8;
  END LOOP;
  RETURN c;
END $$;

-- What the cap of the site leaves of a claim. Who comes next at such a site waits for the row of its
-- room until this transaction ends: so it is taken late, and only for jobs that are there or to say
-- that there may be none. `p_promised`: jobs of other claims of the transaction at the same site.
CREATE OR REPLACE FUNCTION jobs_claims_room(c jobs_claiming, p_site bigint, p_n int, p_promised int)
RETURNS jobs_claiming LANGUAGE plpgsql AS $$
DECLARE
  v_n int := coalesce(cardinality(c.held), p_n);
BEGIN
  UPDATE jobs_siteroom SET room = room - v_n
  WHERE site_id = p_site AND job_cap = c.cap AND room >= v_n AND c.held IS NOT NULL;
  IF FOUND THEN
    RETURN c;
  END IF;
  v_n := least(v_n, jobs_room(p_site, c.cap, v_n, p_promised));
  IF v_n <= 0 THEN
    c.outcome := 'site_full';
    c.words := c.cap::text;
    c.held := NULL;
  ELSIF c.held IS NOT NULL THEN
    c.held := c.held[:v_n];
    c.attempts := c.attempts[:v_n];
    UPDATE jobs_siteroom SET room = room - v_n WHERE site_id = p_site;
  END IF;
  RETURN c;
END $$;

-- What has to be done before a claim that is not refused can be answered, and often is not.
CREATE OR REPLACE FUNCTION jobs_claims_meet(c jobs_claiming, p_ask jobs_ask, p_now timestamptz)
RETURNS jobs_claiming LANGUAGE plpgsql AS $$
BEGIN
  IF c.outcome = 'shut' THEN
    SELECT s.outcome, s.words INTO c.outcome, c.words
    FROM jobs_shut(p_ask.site, p_ask.node, p_now) s;
  END IF;
  IF c.pilot IS NULL THEN
    INSERT INTO jobs_pilot (site_id, pilot_id, node, factory, cpu_speed_mhz, memory_mb,
      free_disk_mb, first_contact, last_contact, claims, jobs)
    VALUES (p_ask.site, p_ask.pilot_id, p_ask.node, p_ask.factory, p_ask.cpu_speed_mhz,
      p_ask.memory_mb, p_ask.free_disk_mb, p_now, p_now, 0, 0)
    ON CONFLICT (site_id, pilot_id) DO UPDATE SET last_contact = p_now RETURNING id INTO c.pilot;
  END IF;
  IF c.node_due THEN
    PERFORM jobs_node_asked(p_ask.site, p_ask.node, p_now);
  END IF;
  RETURN c;
END $$;

-- The answer to a claim whose key was answered before.
CREATE OR REPLACE FUNCTION jobs_claims_again(p_nr int, p_account bigint, p_key text) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT json_build_object('nr', p_nr, 'outcome', 'again', 'salt', k.salt,
      'jobs', jobs_told(k.panda_ids), 'attempts', k.attempts)
    FROM jobs_claimkey k WHERE k.account_id = p_account AND k.key = p_key);
END $$;
