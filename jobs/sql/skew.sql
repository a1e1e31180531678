-- What a pilot's clock says, for the history: by how many seconds it is ahead, if that is more
-- than `noted` either way. jobs/skew.py is the same for what Python writes.
CREATE OR REPLACE FUNCTION jobs_skew(sent_at timestamptz, now timestamptz, noted int)
RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN abs(round(extract(epoch FROM sent_at - now))) > noted
    THEN jsonb_build_object('clock_skew_s', round(extract(epoch FROM sent_at - now))::bigint)
    ELSE '{}'::jsonb END
$$;
