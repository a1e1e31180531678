import django.contrib.postgres.fields
from django.db import migrations, models

from pandasite.base.sqlfile import sql_file

NO_FACTS = """
DROP FUNCTION jobs_facts_follow CASCADE; DROP FUNCTION jobs_facts_follow_row CASCADE;
DROP FUNCTION jobs_facts_gone CASCADE; DROP FUNCTION jobs_facts_repair; DROP FUNCTION jobs_facts_renew; DROP FUNCTION jobs_facts_of
"""


class Migration(migrations.Migration):
    """Claims find the facts of their site in one row."""

    dependencies = [
        ("jobs", "0041_claims_together"),
        ("brokerage", "0005_cloud_share"),
        ("datasets", "0014_days"),
    ]

    operations = [
        migrations.CreateModel(
            name="SiteFact",
            fields=[
                ("site_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("offline", models.BooleanField()),
                ("job_cap", models.IntegerField()),
                (
                    "storage_id",
                    models.BigIntegerField(help_text="what jobs read from and write to", null=True),
                ),
                ("storage_name", models.TextField(null=True)),
                ("storage_url", models.TextField(null=True)),
                (
                    "any_release",
                    models.BooleanField(help_text="pilots are not asked for the release of a job"),
                ),
                (
                    "vos",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        help_text="allowed here; none = all",
                        null=True,
                        size=None,
                    ),
                ),
                (
                    "banned",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(),
                        help_text="nodes, also of bans that are over",
                        null=True,
                        size=None,
                    ),
                ),
                (
                    "outage_until",
                    models.DateTimeField(help_text="the latest end of one", null=True),
                ),
            ],
        ),
        migrations.RunSQL(sql_file("jobs", "facts"), NO_FACTS),
        migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop),
    ]
