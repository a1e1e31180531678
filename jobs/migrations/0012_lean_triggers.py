from django.db import migrations

from jobs.states import MOVES
from pandasite.base.guard import guard_sql
from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """The triggers of every move, with less work."""

    dependencies = [("jobs", "0011_patrol")]

    operations = [
        migrations.RunSQL(sql_file("jobs", "count"), migrations.RunSQL.noop),
        migrations.RunSQL(guard_sql("jobs_job", MOVES)[0], migrations.RunSQL.noop),
    ]
