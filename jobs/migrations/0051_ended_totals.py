from django.db import migrations, models

# What was folded before; deltas are added by the next fold.
FILL = """
INSERT INTO jobs_endedtotal (cloud_id, site_id, label, state, payload_error, n)
SELECT cloud_id, site_id, label, state, payload_error, sum(n) FROM jobs_jobcount
WHERE hour > 'epoch' GROUP BY 1, 2, 3, 4, 5
"""


class Migration(migrations.Migration):
    """How many jobs ever ended is known without a look at every hour."""

    dependencies = [("jobs", "0050_requests_and_uses")]

    operations = [
        migrations.CreateModel(
            name="EndedTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cloud_id", models.BigIntegerField()),
                ("site_id", models.BigIntegerField()),
                ("label", models.CharField(max_length=20)),
                ("state", models.CharField(max_length=12)),
                ("payload_error", models.BooleanField()),
                ("n", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("cloud_id", "site_id", "label", "state", "payload_error"),
                        name="ended_total_once",
                    )
                ],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
