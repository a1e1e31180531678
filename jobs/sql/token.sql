-- Whether a pilot's token, which the web process knows from before, is good at this moment: not
-- deleted, not expired, its account neither banned nor moved to another site. Three rows by key,
-- in the statement that does what the token allows: a token that is taken back opens nothing more.
-- One row when it is good, else none; for a FROM, where the planner puts its text in the place of
-- the call.
CREATE OR REPLACE FUNCTION jobs_good_token(
  p_digest text, p_account bigint, p_site bigint, p_now timestamptz
) RETURNS TABLE (site_id bigint) LANGUAGE sql STABLE AS $$
  SELECT a.site_id FROM knox_authtoken t JOIN auth_user u ON u.id = t.user_id
    JOIN jobs_pilotaccount a ON a.user_id = u.id
  WHERE t.digest = p_digest AND (t.expiry IS NULL OR t.expiry > p_now) AND u.is_active
    AND a.id = p_account AND a.site_id = p_site
$$;

-- The same as yes or no.
CREATE OR REPLACE FUNCTION jobs_token_holds(
  p_digest text, p_account bigint, p_site bigint, p_now timestamptz
) RETURNS boolean LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM jobs_good_token(p_digest, p_account, p_site, p_now));
END $$;
