from typing import Any

from django.db import connection, migrations, models, transaction

from pandasite.base.sqlfile import sql_file

UNDO = """
DROP FUNCTION jobs_ended_lately, jobs_ended_files_lately, jobs_weeks_named, jobs_note_stems,
  jobs_shorten_stems, jobs_week_table, jobs_stem
"""
UNDO_TASKS = "DROP FUNCTION jobs_of_task_states, jobs_of_task_errors, jobs_of_task_datasets"
_WEEKS = """
SELECT jobs_note_stems(to_timestamp(right(c.relname, 8) || ' +00', 'YYYYMMDD TZH'))
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'jobs_endedjob'::regclass
"""


def note(_apps: Any, _editor: Any) -> None:
    """Of the weeks that are there; no job moves into one meanwhile, and everybody reads on."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("LOCK TABLE ONLY jobs_endedjob IN EXCLUSIVE MODE")
        cursor.execute(_WEEKS)


class Migration(migrations.Migration):
    """Quick search looks only into weeks of the archive that may have the name.

    And the page of a task asks for its jobs through plans that are kept.
    """

    # The functions first: who moves jobs as it was so far is done when the lock is had.
    atomic = False
    dependencies = [("jobs", "0051_ended_totals")]

    operations = [
        migrations.CreateModel(
            name="WeekStem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(help_text="of names: job or file", max_length=4)),
                ("stem", models.CharField(help_text="empty: of any name", max_length=40)),
                ("week", models.DateTimeField(help_text="its first moment")),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["kind", "stem", "week"],
                        name="week_stem_begins",
                        opclasses=["text_pattern_ops", "text_pattern_ops", "timestamptz_ops"],
                    ),
                    models.Index(fields=["week", "kind"], name="week_stem_of_week"),
                ],
            },
        ),
        migrations.RunSQL(sql_file("jobs", "stems"), UNDO),
        migrations.RunSQL(sql_file("jobs", "ended"), migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("jobs", "of_task"), UNDO_TASKS),
        migrations.RunPython(note, migrations.RunPython.noop),
    ]
