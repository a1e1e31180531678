from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, OrderBy, Q

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """The head of each queue, and the room under a cap."""

    atomic = False
    dependencies = [("jobs", "0014_claim_nodes")]

    operations = [
        migrations.CreateModel(
            name="SiteRoom",
            fields=[
                ("site_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("job_cap", models.IntegerField(help_text="the cap that it was counted for")),
                ("room", models.IntegerField()),
            ],
        ),
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                F("computing_site"),
                OrderBy(F("current_priority"), descending=True),
                F("panda_id"),
                condition=Q(("state", "activated")),
                name="job_head",
            ),
        ),
        migrations.RunSQL(sql_file("jobs", "room"), migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop),
    ]
