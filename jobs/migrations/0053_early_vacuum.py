from django.db import migrations

# Of what each job leaves behind in a table, vacuum is to be rid before a fiftieth of the table is
# that. By default it waits for a fifth, of a table of millions.
SOON = (
    "jobs_jobevent",  # moved to the archive with its job, like the next three
    "jobs_jobfile",
    "jobs_joboutput",
    "jobs_jobname",
    "jobs_claimkey",  # forgotten after a day
    "jobs_keptlease",
    "jobs_enddelta",  # folded all the time, like the next two and jobs_countdelta
    "jobs_answerdelta",
    "jobs_taskpiece",
    "jobs_taskinput",
)
# One row for each site with a cap, which every claim there writes: room on
# its page, so that it stays where it is, and its index entry too (HOT).
ROOM = "ALTER TABLE jobs_siteroom SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.02)"
ROOM_BACK = "ALTER TABLE jobs_siteroom RESET (fillfactor, autovacuum_vacuum_scale_factor)"


class Migration(migrations.Migration):
    """Vacuum comes early to every table that grows and shrinks with jobs."""

    dependencies = [("jobs", "0052_week_stems")]

    operations = [
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02)",
                f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor)",
            )
            for table in SOON
        ),
        migrations.RunSQL(ROOM, ROOM_BACK),
    ]
