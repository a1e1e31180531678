import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    """Leases that the server keeps for pilots that know of none."""

    dependencies = [("jobs", "0028_share_rules")]

    operations = [
        migrations.CreateModel(
            name="KeptLease",
            fields=[
                ("pk", models.CompositePrimaryKey("panda_id", "attempt_nr", blank=True, editable=False, primary_key=True, serialize=False)),
                ("panda_id", models.BigIntegerField()),
                ("attempt_nr", models.IntegerField()),
                ("account_id", models.BigIntegerField(help_text="the account of pilots that asked for the job")),
                ("salt", models.CharField(max_length=40)),
                ("pilot_id", models.CharField(blank=True, max_length=200, verbose_name="pilotID")),
                ("node", models.CharField(blank=True, max_length=128)),
                ("bound_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [django.contrib.postgres.indexes.BrinIndex(fields=["created_at"], name="kept_lease_born", pages_per_range=16)],
            },
        ),
    ]
