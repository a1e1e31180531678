-- Claims, one or some, in one round trip and one transaction; called by jobs/dispatch.py alone.
--
-- 1. one answer at a time for a key, and for a pilot; 2. the token that a caller was known by is still
-- good, and an earlier answer again; 3. no, when the site or the node is shut; 4. the best activated
-- jobs that fit every fact of a pilot are picked and locked, as many of them as the cap of the site
-- leaves room for; 5. each gets a lease of its own, and with them go the books: event, key, pilot,
-- answer.
--
-- To begin a statement costs more than most of them do. So there are few, each for all claims: one
-- question for what has to be known and for the best job, and one that writes and tells. Of the claims
-- at one site the second is asked for after the first, since a statement does not step over the rows
-- that its own transaction has locked. All rows are looked up by key, also where a table is small
-- today: so no table is read whole, hashed or merged, and each look-up in the question is a subquery
-- (OFFSET 0), which the planner does not turn into a join that goes through all of an index.
--
-- A claim locks the row of its pilot and, where the site has a cap, that of its room; other rows it
-- steps over or adds. With others it would hold what those need, in any order: so each transaction
-- first waits for its turn of each pilot, in the order of their numbers, then for the rooms, in the
-- order of the sites. Whose key is being answered needs no turn, and does not wait for one.

-- The turn of a pilot: a number for an advisory lock. No key of a claim has a space in it.
CREATE OR REPLACE FUNCTION jobs_turn(p_site bigint, p_pilot text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT hashtextextended('pilot ' || p_pilot, p_site) $$;

-- Whose turn it is: holds the key of each claim, then waits for the turns of the pilots. The place of
-- each claim among those at its site, from 1 on, or 0 where its key is being answered.
CREATE OR REPLACE FUNCTION jobs_claims_begin(p_asked jobs_ask[]) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE
  a jobs_ask;
  v_site bigint;
  v_place int;
  v_places int[];
  v_turns bigint[];
  v_turn bigint;
  v_last bigint;
BEGIN
  FOREACH a IN ARRAY p_asked LOOP
    IF a.site < v_site THEN
      RAISE EXCEPTION 'claims at site % come before those at site %', v_site, a.site;
    ELSIF pg_try_advisory_xact_lock(hashtextextended(a.key, a.account)) THEN
      v_place := CASE WHEN a.site = v_site THEN v_place + 1 ELSE 1 END;
      v_places := array_append(v_places, v_place);
      v_turns := array_append(v_turns, jobs_turn(a.site, a.pilot_id));
      v_site := a.site;
    ELSE
      v_places := array_append(v_places, 0);
    END IF;
  END LOOP;
  IF cardinality(v_turns) = 1 THEN
    PERFORM pg_advisory_xact_lock(v_turns[1]);
  ELSE
    FOR v_turn IN SELECT turn FROM unnest(v_turns) AS turn ORDER BY turn LOOP
      IF v_turn = v_last THEN
        RAISE EXCEPTION 'two claims of one pilot are not answered together';
      END IF;
      PERFORM pg_advisory_xact_lock(v_turn);
      v_last := v_turn;
    END LOOP;
  END IF;
  RETURN v_places;
END $$;

-- The answers to claims, in the order of their sites: {"jobs": [...], "others": [...]}. A job is told
-- as in claim.sql, with the place of its claim behind; who gets none is among the others, as an object
-- with that place (`nr`, from 1 on), the outcome and its words. Where one claim fails all do, and
-- nothing has happened.
CREATE OR REPLACE FUNCTION jobs_claims(
  p_asked jobs_ask[], p_install text[], p_reprocessing text[], p_sent_seconds int,
  p_skew_noted int, p_now timestamptz
) RETURNS json LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  v_c jobs_claiming;
  v_a jobs_ask;
  v_places int[] := jobs_claims_begin(p_asked);
  v_now timestamptz := coalesce(p_now, clock_timestamp());
  v_claims jobs_claiming[] := '{}';
  v_booked int[] := array_fill(0, ARRAY[cardinality(p_asked)]);  -- 1: it is not refused
  v_others json[] := '{}';
  v_taken bigint[] := '{}';
  v_pilots bigint[] := '{}';
  v_place int := 0;
  v_site bigint;
  v_promised int;          -- jobs of this site to earlier claims
  v_n int := 0;
  v_told json;
BEGIN
  FOR nr IN 1 .. cardinality(p_asked) LOOP
    IF v_places[nr] = 0 THEN
      v_a := p_asked[nr];
      v_others := array_append(v_others, json_build_object('nr', nr, 'outcome', CASE
        WHEN v_a.token IS NULL OR jobs_token_holds(v_a.token, v_a.account, v_a.site, v_now)
        THEN 'in_flight' ELSE 'token_gone' END));
    END IF;
  END LOOP;

  LOOP
    v_place := v_place + 1;
    EXIT WHEN v_place <> ALL (v_places);
    FOR v_c IN
      SELECT turn.nr::int, p.id, n.last_claim IS NULL OR n.last_claim < v_now - interval '1 minute',
        f.storage_id, f.storage_name::text, f.storage_url::text, f.job_cap, r.site_id IS NOT NULL,
        CASE WHEN r.job_cap = f.job_cap THEN r.room ELSE 0 END, said.outcome, best.held,
        best.attempts, NULL::text
      FROM unnest(v_places) WITH ORDINALITY AS turn (place, nr)
        CROSS JOIN LATERAL (SELECT (p_asked[turn.nr]).*) asked
        LEFT JOIN LATERAL (SELECT * FROM jobs_sitefact WHERE site_id = asked.site OFFSET 0) f ON true
        LEFT JOIN LATERAL (SELECT site_id FROM jobs_good_token(asked.token, asked.account,
          asked.site, v_now) OFFSET 0) t ON true
        LEFT JOIN LATERAL (SELECT body_sha256 FROM jobs_claimkey
          WHERE account_id = asked.account AND key = asked.key OFFSET 0) k ON true
        LEFT JOIN LATERAL (SELECT id FROM jobs_pilot
          WHERE site_id = asked.site AND pilot_id = asked.pilot_id OFFSET 0) p ON true
        LEFT JOIN LATERAL (SELECT site_id, job_cap, room FROM jobs_siteroom
          WHERE site_id = asked.site OFFSET 0) r ON true
        LEFT JOIN LATERAL (SELECT last_claim FROM jobs_node
          WHERE site_id = asked.site AND node = asked.node OFFSET 0) n ON true
        CROSS JOIN LATERAL (SELECT CASE
          WHEN asked.token IS NOT NULL AND t.site_id IS NULL THEN 'token_gone'
          WHEN k.body_sha256 <> asked.body THEN 'key_reused'
          WHEN k.body_sha256 IS NOT NULL THEN 'again'
          WHEN f.offline OR f.outage_until > v_now OR asked.node = ANY (f.banned) THEN 'shut'
        END AS outcome) said
        -- Who wants one job gets it from the head of the queue, which is read in its order until one
        -- fits and is free.
        LEFT JOIN LATERAL (
          SELECT ARRAY[j.panda_id] AS held, ARRAY[j.attempt_nr + 1] AS attempts
          FROM (
            SELECT panda_id, prod_source_label, min_ram_count, max_disk_count, min_cpu_speed,
              core_count, atlas_release, cmt_config, processing_type, vo_id
            FROM jobs_job WHERE state = 'activated' AND command = ''
              AND computing_site_id = asked.site AND panda_id <> ALL (v_taken)
            ORDER BY current_priority DESC, panda_id LIMIT 16
          ) h JOIN jobs_job j ON j.panda_id = h.panda_id
          WHERE said.outcome IS NULL AND asked.n_jobs = 1
            AND jobs_fits(h.prod_source_label, h.vo_id, h.processing_type,
              h.atlas_release || '|' || h.cmt_config, h.min_ram_count, h.max_disk_count,
              h.min_cpu_speed, h.core_count, asked.labels, f.vos, asked.releases, p_install,
              f.any_release, p_reprocessing, asked.memory_mb, asked.free_disk_mb,
              asked.cpu_speed_mhz, asked.core_count)
            AND j.state = 'activated' AND j.command = ''
          LIMIT 1 FOR UPDATE OF j SKIP LOCKED
        ) best ON true
      WHERE turn.place = v_place
    LOOP
      IF v_c.outcome IS NOT NULL OR v_c.pilot IS NULL OR v_c.node_due OR v_c.held IS NULL THEN
        v_a := p_asked[v_c.nr];
        IF v_c.outcome = 'token_gone' OR v_c.outcome = 'key_reused' THEN
          v_others := array_append(v_others,
            json_build_object('nr', v_c.nr, 'outcome', v_c.outcome));
          CONTINUE;
        ELSIF v_c.outcome = 'again' THEN
          v_others := array_append(v_others, jobs_claims_again(v_c.nr, v_a.account, v_a.key));
          CONTINUE;
        END IF;
        v_c := jobs_claims_meet(v_c, v_a, v_now);
        IF v_c.outcome IS NULL AND v_c.held IS NULL THEN
          v_c := jobs_claims_search(v_c, v_a, p_install, p_reprocessing, v_taken);
        END IF;
      END IF;
      v_taken := v_taken || v_c.held;
      v_pilots := array_append(v_pilots, v_c.pilot);
      v_claims[v_c.nr] := v_c;
      v_booked[v_c.nr] := 1;
    END LOOP;
  END LOOP;

  FOR nr IN 1 .. cardinality(v_places) LOOP
    CONTINUE WHEN v_booked[nr] = 0;
    v_c := v_claims[nr];
    IF p_asked[nr].site IS DISTINCT FROM v_site THEN
      v_site := p_asked[nr].site;
      v_promised := 0;
    END IF;
    IF v_c.cap = 0 AND v_c.capped THEN
      DELETE FROM jobs_siteroom WHERE site_id = v_site;  -- from now on nobody counts
    ELSIF v_c.cap > 0 AND v_c.outcome IS NULL AND (v_c.held IS NOT NULL OR v_c.room <= 0) THEN
      v_c := jobs_claims_room(v_c, v_site, p_asked[nr].n_jobs, v_promised);
    END IF;
    IF v_c.held IS NULL THEN
      v_c.outcome := coalesce(v_c.outcome, 'no_job');
      v_others := array_append(v_others,
        json_build_object('nr', nr, 'outcome', v_c.outcome, 'text', v_c.words));
    ELSE
      v_c.outcome := 'job';
      v_promised := v_promised + cardinality(v_c.held);
      v_n := v_n + cardinality(v_c.held);
    END IF;
    v_claims[nr] := v_c;
  END LOOP;
  IF cardinality(v_claims) = 0 THEN
    RETURN json_build_object('jobs', NULL, 'others', v_others);
  END IF;

  -- What is told here is what jobs_told tells; a test holds one beside the other.
  WITH booked AS MATERIALIZED (
    SELECT nr, p_asked[nr] AS a, v_claims[nr] AS c
    FROM unnest(v_booked) WITH ORDINALITY AS booked (yes, nr) WHERE yes = 1
  ), taken AS (
    UPDATE jobs_job j SET state = 'sent', attempt_nr = attempt_nr + 1, event_seq = event_seq + 1,
      storage_id = (c).storage, pilot_id = (c).pilot, node = (a).node,
      lease_sha256 = (a).leases[array_position((c).held, panda_id)],
      lease_until = v_now + p_sent_seconds * interval '1 second', report_seq = 0, verdict = '',
      state_change_time = v_now, modification_time = v_now
    FROM booked
    WHERE panda_id = ANY (v_taken) AND panda_id = ANY ((c).held) AND state = 'activated'
    RETURNING nr, array_position((c).held, panda_id) AS place, panda_id, state,
      attempt_nr, lease_sha256, job_name, job_definition_id, task_id, prod_source_label,
      processing_type, transformation, job_parameters, atlas_release, homepackage, cmt_config,
      prod_user_id, working_group, core_count, min_ram_count, max_disk_count, max_cpu_count, vo_id,
      event_seq, (c).storage_name AS place_name, (c).storage_url AS place_url, (a).pilot_id AS pilot,
      (a).node AS host, (a).sent_at AS sent_at
  ), noted AS (
    INSERT INTO jobs_jobevent (job_id, seq, attempt_nr, from_state, to_state, actor, at, reason)
    SELECT panda_id, event_seq, attempt_nr, 'activated', 'sent', left('pilot ' || pilot, 150), v_now,
      jsonb_build_object('node', host, 'pilot', pilot) || jobs_skew(sent_at, v_now, p_skew_noted)
    FROM taken
  ), keyed AS (
    INSERT INTO jobs_claimkey (account_id, key, body_sha256, salt, panda_ids, attempts, created_at)
    SELECT (a).account, (a).key, (a).body, (a).salt, (c).held, (c).attempts, v_now
    FROM booked WHERE (c).held IS NOT NULL
  ), answered AS (
    INSERT INTO jobs_answerdelta (site_id, outcome, hour, n)
    SELECT (a).site, (c).outcome, date_trunc('hour', v_now, 'UTC'),
      coalesce(cardinality((c).held), 1) FROM booked
  ), contact AS (
    UPDATE jobs_pilot p SET node = (a).node, factory = (a).factory,
      cpu_speed_mhz = (a).cpu_speed_mhz, memory_mb = (a).memory_mb,
      free_disk_mb = (a).free_disk_mb, last_contact = v_now, claims = claims + 1,
      jobs = jobs + coalesce(cardinality((c).held), 0)
    FROM booked WHERE p.id = ANY (v_pilots) AND p.id = (c).pilot
  )
  SELECT v_n - count(*), json_agg(json_build_array(
    ARRAY[place, panda_id, attempt_nr, job_definition_id, task_id, core_count, min_ram_count,
      max_disk_count, max_cpu_count],
    ARRAY[state, lease_sha256, job_name, prod_source_label, processing_type, transformation,
      job_parameters, atlas_release, homepackage, cmt_config, prod_user_id, working_group,
      (SELECT v.name FROM brokerage_vo v WHERE v.id = vo_id), place_name, place_url]::text[],
    (SELECT f.files FROM jobs_files_told(panda_id) f), nr))
  INTO v_n, v_told FROM taken;
  IF v_n <> 0 THEN
    RAISE EXCEPTION 'of the jobs % not all could be taken, though they were locked', v_taken;
  END IF;
  RETURN json_build_object('jobs', v_told, 'others', v_others);
END $$;
