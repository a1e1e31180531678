from django.db import migrations

from pandasite.base.sqlfile import sql_file

# No job moves into the archive meanwhile, which the sweep does later; everybody reads on.
FORWARD = [
    "SET LOCAL statement_timeout = 0",
    # quick search: ended jobs by how their name begins, in the order of the names
    "CREATE INDEX IF NOT EXISTS endedjob_name"
    " ON jobs_endedjob (job_name text_pattern_ops, panda_id)",
    # quick search: files of ended jobs by how their name begins, in the order of the names
    "CREATE INDEX IF NOT EXISTS endedjobfile_lfn"
    " ON jobs_endedjobfile (lfn text_pattern_ops, id)",
]
FIND_UNDONE = (
    "DROP FUNCTION jobs_shelf, jobs_successor, jobs_ended_named, jobs_ended_files_named"
)


class Migration(migrations.Migration):
    """Ended jobs and their files are found by how their name begins."""

    dependencies = [("jobs", "0021_names")]

    operations = [
        migrations.RunSQL(FORWARD, "DROP INDEX IF EXISTS endedjob_name, endedjobfile_lfn"),
        migrations.RunSQL(sql_file("jobs", "find"), FIND_UNDONE),
    ]
