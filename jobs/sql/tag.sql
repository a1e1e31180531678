-- A tag is what tasks were agreed on: its facts never change, and one that a task has used stays.
CREATE OR REPLACE FUNCTION jobs_tag_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.name, NEW.transformation, NEW.atlas_release, NEW.cmt_config, NEW.homepackage,
        NEW.job_parameters)
       IS DISTINCT FROM
       (OLD.name, OLD.transformation, OLD.atlas_release, OLD.cmt_config, OLD.homepackage,
        OLD.job_parameters) THEN
      RAISE EXCEPTION 'tag % is frozen: make another one', OLD.name USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
  END IF;
  IF EXISTS (SELECT 1 FROM jobs_task WHERE tag = OLD.name AND tag <> '') THEN
    RAISE EXCEPTION 'tag % is used by a task', OLD.name USING ERRCODE = '23514';
  END IF;
  RETURN OLD;
END $$;
CREATE OR REPLACE TRIGGER jobs_tag_frozen BEFORE UPDATE OR DELETE ON jobs_tag
  FOR EACH ROW EXECUTE FUNCTION jobs_tag_frozen()
