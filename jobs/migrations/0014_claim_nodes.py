from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """The claim asks for the node's row with its other questions."""

    dependencies = [("jobs", "0013_pulse")]

    operations = [migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop)]
