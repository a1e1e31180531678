-- How many more jobs pilots may hold at a site with a cap: so many at least, exact when it is less
-- than is wanted. The row is locked until the claim ends, so that one claim comes after the other
-- at such a site, and each knows what those before it took. Only claims make it less; whatever ends
-- makes it more, which is counted when the room that is known of is used up.
-- `p_promised`: jobs that this transaction gives to pilots there, and has not written yet.
CREATE OR REPLACE FUNCTION jobs_room(p_site bigint, p_cap int, p_wanted int, p_promised int)
RETURNS int LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v_room int;
BEGIN
  INSERT INTO jobs_siteroom (site_id, job_cap, room) VALUES (p_site, p_cap, 0)
  ON CONFLICT (site_id) DO UPDATE SET job_cap = p_cap,
    room = CASE WHEN jobs_siteroom.job_cap = p_cap THEN jobs_siteroom.room ELSE 0 END
  RETURNING room INTO v_room;
  IF v_room < p_wanted THEN
    -- a statement of its own: it sees what was committed while the row was waited for
    SELECT p_cap - p_promised - count(*) INTO v_room FROM jobs_job
    WHERE computing_site_id = p_site AND state IN ('sent', 'starting', 'running');
    UPDATE jobs_siteroom SET room = v_room WHERE site_id = p_site;
  END IF;
  RETURN v_room;
END $$;
