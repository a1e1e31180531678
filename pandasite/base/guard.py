"""SQL for a trigger that refuses state changes which the table of legal moves does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def guard_sql(table: str, moves: Mapping[str, Iterable[str]]) -> tuple[str, str]:
    """(create, drop) statements of the guard of `table`.state.

    `moves` maps each state to the states that may follow it; a state without followers is
    final. The admin, the shell and bugs are caught too, not only the services.
    """
    # one text for both states: so many pairs are looked up by their hash, not one by one
    pairs = ", ".join(f"'{a}>{b}'" for a in sorted(moves) for b in sorted(moves[a]))
    create = f"""
CREATE OR REPLACE FUNCTION {table}_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state || '>' || NEW.state <> ALL (ARRAY[{pairs}]) THEN
    RAISE EXCEPTION '{table}: % may not become %', OLD.state, NEW.state
      USING ERRCODE = 'check_violation', CONSTRAINT = '{table}_legal_move';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS {table}_guard ON {table};
CREATE TRIGGER {table}_guard BEFORE UPDATE OF state ON {table} FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION {table}_guard();
"""
    drop = f"DROP TRIGGER IF EXISTS {table}_guard ON {table}; DROP FUNCTION {table}_guard();"
    return create, drop
