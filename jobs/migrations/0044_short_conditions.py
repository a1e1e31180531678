from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """The triggers of jobs look for themselves whether there is something to do."""

    dependencies = [("jobs", "0043_site_facts")]

    operations = [
        migrations.RunSQL(sql_file("jobs", name), migrations.RunSQL.noop)
        for name in ("count", "pulse", "ends")
    ]
