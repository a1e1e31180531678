from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """Heartbeats by the hundred write their rows where they found them."""

    dependencies = [("jobs", "0044_short_conditions")]

    operations = [migrations.RunSQL(sql_file("jobs", "report"), migrations.RunSQL.noop)]
