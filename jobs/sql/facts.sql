-- What a claim has to know of its site, as one row, which triggers keep: six tables that seldom
-- change need not be asked hundreds of times a second. The row is never younger than the change
-- that it comes from, nor older: both are of one transaction.

-- The facts of these sites, as their own tables have them: the one place that says what they are.
CREATE OR REPLACE FUNCTION jobs_facts_of(p_sites bigint[]) RETURNS SETOF jobs_sitefact
LANGUAGE sql STABLE AS $$
  SELECT s.id, s.status = 'offline', s.job_cap, e.id, e.name, e.url,
    -- Whether any release will do: the release is not asked of the pilot where brokerage does not
    -- ask the site for it (the rule `releases` in brokerage/policy/filters.py), or such jobs would
    -- wait for ever.
    NOT c.releases_checked
      OR NOT EXISTS (SELECT FROM brokerage_installedrelease i WHERE i.site_id = s.id),
    (SELECT array_agg(a.vo_id ORDER BY a.vo_id) FROM brokerage_site_vos a WHERE a.site_id = s.id),
    (SELECT array_agg(b.node::text ORDER BY b.node) FROM brokerage_bannednode b
      WHERE b.site_id = s.id),
    (SELECT max(o."end") FROM brokerage_downtime o
      WHERE o.site_id = s.id AND o.severity = 'outage')
  FROM brokerage_site s JOIN brokerage_cloud c ON c.id = s.cloud_id
    LEFT JOIN datasets_sitestorage l ON l.site_id = s.id AND l.role = 'local'
    LEFT JOIN datasets_storageelement e ON e.id = l.storage_id
  WHERE s.id = ANY (p_sites)
$$;

-- Makes the rows of these sites right. Whoever changes the same site at the same time waits for the
-- end of this transaction before it looks, and sees what was changed here: it looks in a statement
-- behind the one that waits. `p_tied`: the sites were tied to their cloud or storage just now, whose
-- own changes do not know of it yet, and have to wait or be waited for.
CREATE OR REPLACE FUNCTION jobs_facts_renew(p_sites bigint[], p_tied bool DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF p_tied THEN
    PERFORM FROM brokerage_cloud c WHERE c.id IN (
      SELECT s.cloud_id FROM brokerage_site s WHERE s.id = ANY (p_sites)) ORDER BY c.id FOR SHARE;
    PERFORM FROM datasets_storageelement e WHERE e.id IN (
      SELECT l.storage_id FROM datasets_sitestorage l WHERE l.site_id = ANY (p_sites))
    ORDER BY e.id FOR SHARE;
  END IF;
  PERFORM FROM jobs_sitefact f WHERE f.site_id = ANY (p_sites) ORDER BY f.site_id FOR UPDATE;
  INSERT INTO jobs_sitefact AS f SELECT n.* FROM jobs_facts_of(p_sites) n ORDER BY n.site_id
  ON CONFLICT (site_id) DO UPDATE SET (offline, job_cap, storage_id, storage_name, storage_url,
      any_release, vos, banned, outage_until)
    = (excluded.offline, excluded.job_cap, excluded.storage_id, excluded.storage_name,
      excluded.storage_url, excluded.any_release, excluded.vos, excluded.banned,
      excluded.outage_until)
  WHERE f.* IS DISTINCT FROM excluded.*;
END $$;

-- Makes all rows right, whatever is in them: for a new table, and for who has found a difference.
CREATE OR REPLACE FUNCTION jobs_facts_repair() RETURNS void LANGUAGE sql AS $$
  DELETE FROM jobs_sitefact f WHERE NOT EXISTS (
    SELECT FROM brokerage_site s WHERE s.id = f.site_id);
  SELECT jobs_facts_renew(array_agg(s.id), true) FROM brokerage_site s
$$;

-- Rows of a table have come, gone or changed: the first argument is the query for their sites, a
-- second one says that sites were tied to something.
CREATE OR REPLACE FUNCTION jobs_facts_follow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_sites bigint[];
BEGIN
  EXECUTE TG_ARGV[0] INTO v_sites;
  IF v_sites IS NOT NULL THEN
    PERFORM jobs_facts_renew(v_sites, TG_NARGS > 1);
  END IF;
  RETURN NULL;
END $$;

-- The same for one row, whose key the query has as $1.
CREATE OR REPLACE FUNCTION jobs_facts_follow_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_sites bigint[];
BEGIN
  EXECUTE TG_ARGV[0] INTO v_sites USING NEW.id;
  IF v_sites IS NOT NULL THEN
    PERFORM jobs_facts_renew(v_sites, TG_NARGS > 1);
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION jobs_facts_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM jobs_sitefact f USING gone WHERE f.site_id = gone.id;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER jobs_facts_born AFTER INSERT ON brokerage_site
  REFERENCING NEW TABLE AS born FOR EACH STATEMENT
  EXECUTE FUNCTION jobs_facts_follow('SELECT array_agg(id) FROM born', 'tied');
CREATE OR REPLACE TRIGGER jobs_facts_gone AFTER DELETE ON brokerage_site
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION jobs_facts_gone();
CREATE OR REPLACE TRIGGER jobs_facts_changed AFTER UPDATE OF status, job_cap ON brokerage_site
  FOR EACH ROW WHEN ((OLD.status, OLD.job_cap) IS DISTINCT FROM (NEW.status, NEW.job_cap))
  EXECUTE FUNCTION jobs_facts_follow_row('SELECT ARRAY[$1]');
CREATE OR REPLACE TRIGGER jobs_facts_tied AFTER UPDATE OF cloud_id ON brokerage_site
  FOR EACH ROW WHEN (OLD.cloud_id IS DISTINCT FROM NEW.cloud_id)
  EXECUTE FUNCTION jobs_facts_follow_row('SELECT ARRAY[$1]', 'tied');
CREATE OR REPLACE TRIGGER jobs_facts_changed AFTER UPDATE OF releases_checked ON brokerage_cloud
  FOR EACH ROW WHEN (OLD.releases_checked IS DISTINCT FROM NEW.releases_checked)
  EXECUTE FUNCTION jobs_facts_follow_row(
    'SELECT array_agg(id) FROM brokerage_site WHERE cloud_id = $1');
CREATE OR REPLACE TRIGGER jobs_facts_changed AFTER UPDATE OF name, url ON datasets_storageelement
  FOR EACH ROW WHEN ((OLD.name, OLD.url) IS DISTINCT FROM (NEW.name, NEW.url))
  EXECUTE FUNCTION jobs_facts_follow_row(
    'SELECT array_agg(site_id) FROM datasets_sitestorage WHERE storage_id = $1');

-- What lies with the site by its key, for many rows at once.
DO $$
DECLARE
  v_table text;
  v_tied text;
BEGIN
  FOREACH v_table IN ARRAY ARRAY['brokerage_installedrelease', 'brokerage_site_vos',
    'brokerage_bannednode', 'brokerage_downtime', 'datasets_sitestorage']
  LOOP
    v_tied := CASE WHEN v_table = 'datasets_sitestorage' THEN $t$, 'tied'$t$ ELSE '' END;
    EXECUTE format('CREATE OR REPLACE TRIGGER jobs_facts_born AFTER INSERT ON %I'
      ' REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION jobs_facts_follow('
      '''SELECT array_agg(DISTINCT site_id) FROM born''%s)', v_table, v_tied);
    EXECUTE format('CREATE OR REPLACE TRIGGER jobs_facts_gone AFTER DELETE ON %I'
      ' REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION jobs_facts_follow('
      '''SELECT array_agg(DISTINCT site_id) FROM gone'')', v_table);
    EXECUTE format('CREATE OR REPLACE TRIGGER jobs_facts_changed AFTER UPDATE ON %I'
      ' REFERENCING OLD TABLE AS gone NEW TABLE AS born FOR EACH STATEMENT'
      ' EXECUTE FUNCTION jobs_facts_follow(''SELECT array_agg(site_id) FROM'
      ' (SELECT site_id FROM gone UNION SELECT site_id FROM born) both_sides''%s)',
      v_table, v_tied);
  END LOOP;
END $$;

-- After the triggers: who writes these tables from now on, keeps the rows.
SELECT jobs_facts_repair();
