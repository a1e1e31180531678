from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """Claims that wait in a web process go into one transaction."""

    dependencies = [("jobs", "0040_task_inputs_kept")]

    operations = [
        migrations.RunSQL(
            sql_file("jobs", "claims"),
            "DROP FUNCTION jobs_claims(json); DROP FUNCTION jobs_turn(bigint, text)",
        )
    ]
