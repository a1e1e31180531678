from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """Claims and heartbeats ask all they have to know in one question."""

    dependencies = [("jobs", "0034_client_tasks")]

    operations = [
        migrations.RunSQL(sql_file("jobs", name), migrations.RunSQL.noop)
        for name in ("skew", "token", "claim", "report")
    ]
