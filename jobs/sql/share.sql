-- The tree of shares keeps its promises at the end of each transaction: the children of a parent add
-- up to 100, no share is below itself, and one stands for all.
CREATE OR REPLACE FUNCTION jobs_share_checked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_bad text;
BEGIN
  SELECT format('the children of share %s add up to %s percent, not to 100', p.name, sum(c.percent))
  INTO v_bad FROM jobs_share c JOIN jobs_share p ON p.id = c.parent_id
  GROUP BY p.name HAVING abs(sum(c.percent) - 100) > 0.01 LIMIT 1;
  IF v_bad IS NULL AND (SELECT count(*) FROM jobs_share WHERE parent_id IS NULL) > 1 THEN
    v_bad := 'only one share may be without a parent';
  END IF;
  IF v_bad IS NULL THEN
    WITH RECURSIVE below AS (
      SELECT id FROM jobs_share WHERE parent_id IS NULL
      UNION ALL SELECT c.id FROM jobs_share c JOIN below ON c.parent_id = below.id
    )
    SELECT format('share %s is below itself', name) INTO v_bad FROM jobs_share
    WHERE id NOT IN (SELECT id FROM below) LIMIT 1;
  END IF;
  IF v_bad IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = v_bad;
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS jobs_share_checked ON jobs_share;
CREATE CONSTRAINT TRIGGER jobs_share_checked AFTER INSERT OR UPDATE OR DELETE ON jobs_share
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION jobs_share_checked();

-- A job that leaves its queue has its own priority again, whoever takes it: what it was lifted to
-- for its turn means nothing to brokerage and the limits of later states.
CREATE OR REPLACE FUNCTION jobs_job_unlifted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.current_priority := coalesce((
    SELECT own FROM jobs_prioritylift
    WHERE job_id = OLD.panda_id AND NOT by_hand AND given = NEW.current_priority
  ), NEW.current_priority);
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER jobs_job_unlifted BEFORE UPDATE OF state ON jobs_job FOR EACH ROW
  WHEN (OLD.state = 'activated' AND NEW.state <> 'activated')
  EXECUTE FUNCTION jobs_job_unlifted();
