import django.db.models.deletion
from django.db import migrations, models

from pandasite.base.sqlfile import sql_file

# Room on each page, so that what is written all the time stays where it is and its index entries
# too (HOT); and an early vacuum for what moves on nevertheless.
ROOM = """
ALTER TABLE jobs_pulse SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE jobs_pilot SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE jobs_node SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)
"""
# The jobs that are with a pilot, and the nodes that were seen, while this runs.
ALIVE = """
INSERT INTO jobs_pulse (job_id, attempt_nr, site_id, lease_sha256, state, start_time, commanded,
  report_seq, heard_at, lease_until, due, cpu_consumption_time, max_rss_mb)
SELECT panda_id, attempt_nr, computing_site_id, lease_sha256, state, start_time,
  command <> '' AND command_attempt = attempt_nr, report_seq, modification_time, lease_until,
  lease_until, cpu_consumption_time, max_rss_mb FROM jobs_job WHERE lease_until IS NOT NULL
ON CONFLICT DO NOTHING;
INSERT INTO jobs_node (site_id, node, last_claim, last_report)
SELECT site_id, node, max(last_contact), max(last_report) FROM jobs_pilot GROUP BY site_id, node
"""
NO_SAMPLES = "DROP TABLE jobs_sample; DROP FUNCTION jobs_sample_days"
NO_PULSE = "DROP FUNCTION jobs_job_pulse CASCADE"
NO_REPORT = """
DROP FUNCTION jobs_final_word; DROP FUNCTION jobs_beats; DROP FUNCTION jobs_beat;
DROP FUNCTION jobs_heard; DROP FUNCTION jobs_sample_slot
"""


class Migration(migrations.Migration):
    """What heartbeats write gets tables of its own."""

    dependencies = [
        ("brokerage", "0001_initial"),
        ("jobs", "0012_lean_triggers"),
    ]

    operations = [
        migrations.CreateModel(
            name="Node",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("site", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="nodes", to="brokerage.site")),
                ("node", models.CharField(max_length=128)),
                ("last_claim", models.DateTimeField(null=True)),
                ("last_report", models.DateTimeField(null=True)),
                ("pilots", models.IntegerField(db_default=1, default=1, help_text="that called within three hours, as of the last run of jobs.count_pilots")),
            ],
        ),
        migrations.AddConstraint(
            model_name="node",
            constraint=models.UniqueConstraint(
                fields=("site", "node"), name="node_once_per_site"
            ),
        ),
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("job", models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name="pulse", serialize=False, to="jobs.job")),
                ("attempt_nr", models.IntegerField()),
                ("site_id", models.BigIntegerField()),
                ("lease_sha256", models.CharField(max_length=64)),
                ("state", models.CharField(max_length=12)),
                ("start_time", models.DateTimeField(null=True)),
                ("commanded", models.BooleanField()),
                ("report_seq", models.IntegerField()),
                ("heard_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField()),
                ("due", models.DateTimeField()),
                ("cpu_consumption_time", models.IntegerField()),
                ("max_rss_mb", models.IntegerField()),
                ("told_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="pulse", index=models.Index(fields=["due"], name="pulse_due")
        ),
        migrations.RemoveIndex(model_name="pilot", name="pilot_seen"),
        migrations.RemoveIndex(model_name="pilot", name="pilot_silent"),
        migrations.AlterField(
            model_name="pilot",
            name="last_report",
            field=models.DateTimeField(blank=True, help_text="its last heartbeat, to the hour, if it ever had a job", null=True),
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        # The trigger first: it waits for claims that are under way, and no other comes between.
        migrations.RunSQL(sql_file("jobs", "pulse"), NO_PULSE),
        migrations.RunSQL(ALIVE, migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("jobs", "node"), "DROP FUNCTION jobs_node_asked"),
        migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("jobs", "sample"), NO_SAMPLES),
        migrations.RunSQL("SELECT jobs_sample_days(now(), 3, 3)", migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("jobs", "report"), NO_REPORT),
    ]
