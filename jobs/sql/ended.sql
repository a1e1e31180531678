-- Functions around the archive of ended jobs, whose tables are made in ended_tables.sql.

-- The columns of a table, in their order, as a list for a statement.
CREATE OR REPLACE FUNCTION jobs_columns(named regclass) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
  WHERE attrelid = named AND attnum > 0 AND NOT attisdropped
$$;

-- The tables on either side, the view over both, and the column that an ended row lies under.
CREATE OR REPLACE FUNCTION jobs_sides()
  RETURNS TABLE (live text, ended text, any_side text, shelf text) LANGUAGE sql IMMUTABLE AS $$
  VALUES ('jobs_job', 'jobs_endedjob', 'jobs_anyjob', 'end_time'),
    ('jobs_jobfile', 'jobs_endedjobfile', 'jobs_anyjobfile', 'job_end'),
    ('jobs_jobevent', 'jobs_endedjobevent', 'jobs_anyjobevent', 'job_end'),
    ('jobs_joboutput', 'jobs_endedjoboutput', 'jobs_anyjoboutput', 'job_end')
$$;

-- Gives the ended tables the columns that the live ones have by now, and makes the views anew.
-- A migration that changes a live table calls it behind the change; one that drops a column or
-- changes its type drops the view first. New columns are empty for jobs that ended before.
CREATE OR REPLACE FUNCTION jobs_ended_follow() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  side record;
  change text;
BEGIN
  FOR side IN SELECT * FROM jobs_sides() LOOP
    EXECUTE format('DROP VIEW IF EXISTS %I', side.any_side);
    FOR change IN
      SELECT CASE
        WHEN theirs.attname IS NULL THEN
          format('ADD COLUMN %I %s', ours.attname, format_type(ours.atttypid, ours.atttypmod))
        WHEN ours.attname IS NULL THEN format('DROP COLUMN %I', theirs.attname)
        ELSE format('ALTER COLUMN %I TYPE %s', ours.attname,
          format_type(ours.atttypid, ours.atttypmod)) END
      FROM (SELECT * FROM pg_attribute
        WHERE attrelid = side.live::regclass AND attnum > 0 AND NOT attisdropped) ours
      FULL JOIN (SELECT * FROM pg_attribute
        WHERE attrelid = side.ended::regclass AND attnum > 0 AND NOT attisdropped
          AND attname <> 'job_end') theirs
      ON theirs.attname = ours.attname
      WHERE (theirs.atttypid, theirs.atttypmod) IS DISTINCT FROM (ours.atttypid, ours.atttypmod)
    LOOP
      EXECUTE format('ALTER TABLE %I %s', side.ended, change);
    END LOOP;
    EXECUTE format('CREATE VIEW %1$I AS SELECT %2$s, timestamptz %3$L AS shelf FROM %4$I'
        ' UNION ALL SELECT %2$s, %5$I AS shelf FROM %6$I',
      side.any_side, jobs_columns(side.live::regclass), '9999-01-01 00:00+00', side.live,
      side.shelf, side.ended);
  END LOOP;
END $$;
-- Makes the partitions of the week of `at` where they are missing. They are made beside the table
-- and attached, which stops nobody who reads or writes; two that come at once wait for each other.
CREATE OR REPLACE FUNCTION jobs_ended_week(at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  since timestamptz := date_trunc('week', at, 'UTC');
  side record;
  part text;
BEGIN
  FOR side IN SELECT * FROM jobs_sides() LOOP
    part := side.ended || to_char(since AT TIME ZONE 'UTC', '_YYYYMMDD');
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    -- no advisory lock: only with that of a table does one hear of tables that came meanwhile
    LOCK TABLE ONLY jobs_endedjob IN SHARE UPDATE EXCLUSIVE MODE;
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, side.ended);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      side.ended, part, since, since + interval '168 hours');
  END LOOP;
END $$;

-- Moves up to `most` jobs that ended in the state `final` before `before`, with all that belongs
-- to them; returns how many. The move is one statement: whoever looks sees a job on one side, and
-- whole. A job that somebody else holds stays for the next time, so that any number may move.
CREATE OR REPLACE FUNCTION jobs_archive(final text, before timestamptz, most integer)
  RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  due bigint[];
  weeks timestamptz[];
  week timestamptz;
  moved integer;
BEGIN
  SELECT array_agg(j.panda_id), array_agg(DISTINCT date_trunc('week', j.end_time, 'UTC'))
  INTO due, weeks FROM (
    SELECT panda_id, end_time FROM jobs_job WHERE state = final AND end_time < before
    ORDER BY end_time LIMIT most FOR UPDATE SKIP LOCKED
  ) j;
  IF due IS NULL THEN
    RETURN 0;
  END IF;
  FOREACH week IN ARRAY weeks LOOP
    PERFORM jobs_ended_week(week);
  END LOOP;
  PERFORM set_config('pandasite.archiving', 'on', true);  -- nothing is to be counted anew
  EXECUTE format($move$
    WITH job AS (DELETE FROM jobs_job WHERE panda_id = ANY ($1) RETURNING *),
    file AS (DELETE FROM jobs_jobfile f USING job j WHERE f.job_id = j.panda_id
      RETURNING f.*, j.end_time AS job_end),
    event AS (DELETE FROM jobs_jobevent e USING job j WHERE e.job_id = j.panda_id
      RETURNING e.*, j.end_time AS job_end),
    output AS (DELETE FROM jobs_joboutput o USING job j WHERE o.job_id = j.panda_id
      RETURNING o.*, j.end_time AS job_end),
    ended AS (INSERT INTO jobs_endedjob (%1$s) SELECT %1$s FROM job),
    files AS (INSERT INTO jobs_endedjobfile (%2$s, job_end) SELECT %2$s, job_end FROM file),
    events AS (INSERT INTO jobs_endedjobevent (%3$s, job_end) SELECT %3$s, job_end FROM event),
    outputs AS (INSERT INTO jobs_endedjoboutput (%4$s, job_end) SELECT %4$s, job_end FROM output),
    name AS (
      SELECT 'job' AS kind, jobs_stem(job_name) AS stem, date_trunc('week', end_time, 'UTC') AS week
      FROM job
      UNION SELECT 'file', jobs_stem(lfn), date_trunc('week', job_end, 'UTC') FROM file
    ), stems AS (
      INSERT INTO jobs_weekstem (kind, stem, week)
      SELECT kind, stem, week FROM name WHERE NOT EXISTS (
        SELECT 1 FROM jobs_weekstem s
        WHERE s.kind = name.kind AND s.week = name.week AND s.stem IN (name.stem, '')
      )
    )
    SELECT count(*) FROM job
  $move$, jobs_columns('jobs_job'), jobs_columns('jobs_jobfile'),
    jobs_columns('jobs_jobevent'), jobs_columns('jobs_joboutput')) INTO moved USING due;
  PERFORM set_config('pandasite.archiving', '', true);
  FOREACH week IN ARRAY weeks LOOP
    PERFORM jobs_shorten_stems(week);
  END LOOP;
  RETURN moved;
END $$;
