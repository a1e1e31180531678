-- What holds for each job, whoever writes it; the function raises the name of what does not. It is one
-- check of the table with a short text: PostgreSQL keeps a check as text, and parses it anew in each
-- statement that writes a job, which for these four cost as much as half of the plainest claim.
CREATE OR REPLACE FUNCTION jobs_job_right(
  p_state text, p_end timestamptz, p_lease_until timestamptz, p_lease text, p_site bigint
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_leased bool := p_state IN ('sent', 'starting', 'running');
  v_ended bool := p_state IN ('finished', 'failed', 'cancelled');
  v_flaw text := CASE
    WHEN NOT (v_leased OR v_ended OR p_state IN ('defined', 'waiting', 'assigned', 'activated',
      'holding', 'transferring')) THEN 'job_state_known'
    WHEN v_ended <> (p_end IS NOT NULL) THEN 'job_ended_iff_final'
    WHEN v_leased <> (p_lease_until IS NOT NULL) OR v_leased AND p_lease = ''
      THEN 'job_leased_iff_with_pilot'
    WHEN p_site IS NULL AND (v_leased OR p_state IN ('assigned', 'activated')) THEN 'job_at_a_site'
  END;
BEGIN
  IF v_flaw IS NULL THEN
    RETURN true;
  END IF;
  RAISE EXCEPTION 'jobs_job: a job that is % violates %', p_state, v_flaw
    USING ERRCODE = 'check_violation', CONSTRAINT = v_flaw;
END $$;
