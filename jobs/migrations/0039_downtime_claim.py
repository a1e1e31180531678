from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """A site in an outage hands out no jobs."""

    dependencies = [("jobs", "0036_lean_claim"), ("brokerage", "0004_downtime")]

    operations = [migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop)]
