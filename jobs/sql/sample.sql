-- Samples of CPU time and memory, as heartbeats bring them: append-only, a partition a day.

CREATE TABLE IF NOT EXISTS jobs_sample (
  job_id bigint NOT NULL,
  attempt_nr integer NOT NULL,
  at timestamptz NOT NULL,
  cpu_consumption_time integer,
  rss_mb integer
) PARTITION BY RANGE (at);
-- the page of a job
CREATE INDEX IF NOT EXISTS jobs_sample_job ON jobs_sample (job_id);
-- A heartbeat is never refused for a day that nobody has made.
CREATE TABLE IF NOT EXISTS jobs_sample_rest PARTITION OF jobs_sample DEFAULT;

-- Makes the partitions of today and the next days, and drops those of more than `p_kept` days ago;
-- returns how many partitions and rows without one went. A new day is attached, not made in place,
-- so that whoever writes or reads waits only for the look into the rest, which is empty or small.
CREATE OR REPLACE FUNCTION jobs_sample_days(p_now timestamptz, p_ahead integer, p_kept integer)
  RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_today timestamptz := date_trunc('day', p_now, 'UTC');
  v_day timestamptz;
  v_name text;
  v_gone integer := 0;
  v_rows integer;
BEGIN
  PERFORM pg_advisory_xact_lock(20090919, 0);
  FOR v_day IN SELECT v_today + n * interval '24 hours' FROM generate_series(0, p_ahead) n LOOP
    v_name := to_char(v_day AT TIME ZONE 'UTC', '"jobs_sample_"YYYYMMDD');
    CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE jobs_sample INCLUDING ALL)', v_name);
    LOCK TABLE jobs_sample_rest IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format('WITH late AS (DELETE FROM jobs_sample_rest WHERE at >= %L AND at < %L'
      ' RETURNING *) INSERT INTO %I SELECT * FROM late', v_day, v_day + interval '24 hours', v_name);
    EXECUTE format('ALTER TABLE jobs_sample ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      v_name, v_day, v_day + interval '24 hours');
  END LOOP;
  FOR v_name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'jobs_sample'::regclass AND c.relname ~ '^jobs_sample_\d{8}$'
      AND c.relname < to_char(v_today AT TIME ZONE 'UTC' - p_kept * interval '24 hours',
        '"jobs_sample_"YYYYMMDD')
  LOOP
    EXECUTE format('DROP TABLE %I', v_name);
    v_gone := v_gone + 1;
  END LOOP;
  DELETE FROM jobs_sample_rest WHERE at < v_today - p_kept * interval '24 hours';
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_gone + v_rows;
END $$;
