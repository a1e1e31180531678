import django.db.models.deletion
from django.db import migrations, models

from pandasite.base.sqlfile import sql_file

# By their names: Django's own way would take the foreign keys away and prove them all anew.
DROPPED = """
DROP INDEX IF EXISTS jobs_job_vo_id_ec2db0bc, jobs_job_cloud_id_5e8cbf97,
  jobs_job_computing_site_id_4e4190d2, jobs_job_destination_se_id_e6a342ef,
  jobs_claimkey_account_id_eab16ab6, jobs_jobevent_job_id_79067df7, jobs_jobfile_job_id_3f7b856d;
ALTER TABLE jobs_claimkey DROP CONSTRAINT IF EXISTS
  jobs_claimkey_account_id_eab16ab6_fk_jobs_pilotaccount_id;
"""


def key(to, **options):
    options.setdefault("on_delete", django.db.models.deletion.PROTECT)
    return models.ForeignKey(to=to, db_index=False, **options)


STATE = [
    migrations.AlterField("job", "vo", key("brokerage.vo", verbose_name="VO")),
    migrations.AlterField("job", "cloud", key("brokerage.cloud", blank=True, null=True)),
    migrations.AlterField("job", "computing_site", key("brokerage.site", blank=True, null=True)),
    migrations.AlterField(
        "job",
        "destination_se",
        key("datasets.storageelement", blank=True, null=True, related_name="+"),
    ),
    migrations.AlterField(
        "claimkey",
        "account",
        key(
            "jobs.pilotaccount",
            db_constraint=False,
            on_delete=django.db.models.deletion.CASCADE,
            related_name="+",
        ),
    ),
    migrations.AlterField(
        "jobfile",
        "job",
        key(
            "jobs.job",
            on_delete=django.db.models.deletion.CASCADE,
            related_name="files",
        ),
    ),
    migrations.AlterField(
        "jobevent",
        "job",
        key(
            "jobs.job",
            db_constraint=False,
            on_delete=django.db.models.deletion.DO_NOTHING,
            related_name="events",
        ),
    ),
]


class Migration(migrations.Migration):
    """Indexes that no query asks, and the claim with less work."""

    dependencies = [("jobs", "0004_queue_index")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(DROPPED, migrations.RunSQL.noop)],
            state_operations=STATE,
        ),
        migrations.RunSQL(
            "DROP FUNCTION IF EXISTS jobs_claim, jobs_take, jobs_told", migrations.RunSQL.noop
        ),
        *(
            migrations.RunSQL(sql_file("jobs", name), migrations.RunSQL.noop)
            for name in ("skew", "token", "claim")
        ),
    ]
