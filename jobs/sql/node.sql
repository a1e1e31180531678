-- A pilot asked for work from this node: the node's row is written once a minute at most, and what
-- somebody else is writing is left to them. Nobody waits here, not even for a node that is new.
CREATE OR REPLACE FUNCTION jobs_node_asked(p_site bigint, p_node text, p_now timestamptz)
  RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_last timestamptz;
BEGIN
  SELECT n.last_claim INTO v_last FROM jobs_node n WHERE n.site_id = p_site AND n.node = p_node;
  IF NOT FOUND THEN
    IF pg_try_advisory_xact_lock(20090920, hashtext(p_site || p_node)) THEN
      INSERT INTO jobs_node (site_id, node, last_claim) VALUES (p_site, p_node, p_now)
      ON CONFLICT (site_id, node) DO NOTHING;
    END IF;
  ELSIF v_last IS NULL OR v_last < p_now - interval '1 minute' THEN
    UPDATE jobs_node SET last_claim = p_now WHERE id = (SELECT n.id FROM jobs_node n
      WHERE n.site_id = p_site AND n.node = p_node FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
END $$;
