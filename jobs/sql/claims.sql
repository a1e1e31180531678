-- Several claims in one transaction, and what keeps claims from waiting for each other in a ring;
-- called by jobs/dispatch.py alone.
--
-- A claim locks the row of its pilot and, where the site has a cap, that of its room; other rows it
-- steps over or adds. Alone it holds few of them. With others it would hold what those need, in any
-- order: so each transaction first waits for its turn of each pilot, in the order of their numbers,
-- then claims by site. Whose key is being answered needs no turn, and does not wait for one.

-- The turn of a pilot: a number for an advisory lock. No key of a claim has a space in it.
CREATE OR REPLACE FUNCTION jobs_turn(p_site bigint, p_pilot text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT hashtextextended('pilot ' || p_pilot, p_site) $$;

-- Each claim of `p_asked` (a list, with the arguments of jobs_claim by their names) with its place
-- in the list and its answer. Where one fails all do, and nothing has happened.
CREATE OR REPLACE FUNCTION jobs_claims(p_asked json, OUT nr bigint, OUT answer text)
RETURNS SETOF record LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
DECLARE
  c record;
BEGIN
  PERFORM pg_advisory_xact_lock(turns.turn) FROM (
    SELECT DISTINCT jobs_turn(asked.site, asked.pilot_id) AS turn
    FROM json_to_recordset(p_asked) AS asked (account bigint, site bigint, key text, pilot_id text)
    WHERE pg_try_advisory_xact_lock(hashtextextended(asked.key, asked.account)) ORDER BY 1
  ) turns;
  FOR c IN
    SELECT * FROM ROWS FROM (json_to_recordset(p_asked) AS (
      token text, account bigint, site bigint, key text, body text, pilot_id text, node text,
      factory text, cpu_speed_mhz int, memory_mb int, free_disk_mb int, core_count int,
      releases text[], labels text[], install text[], reprocessing text[], n_jobs int, salt text,
      leases text[], sent_seconds int, sent_at timestamptz, noted int, now timestamptz
    )) WITH ORDINALITY AS asked ORDER BY asked.site, asked.ordinality
  LOOP
    nr := c.ordinality;
    answer := jobs_claim(c.token, c.account, c.site, c.key, c.body, c.pilot_id, c.node, c.factory,
      c.cpu_speed_mhz, c.memory_mb, c.free_disk_mb, c.core_count, c.releases, c.labels, c.install,
      c.reprocessing, c.n_jobs, c.salt, c.leases, c.sent_seconds, c.sent_at, c.noted, c.now);
    RETURN NEXT;
  END LOOP;
END $$;
