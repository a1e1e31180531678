from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """A claim for some jobs looks at every kind that fits, not at the head of the queue."""

    dependencies = [("jobs", "0015_room")]

    operations = [migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop)]
