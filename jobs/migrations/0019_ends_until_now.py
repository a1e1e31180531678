from django.db import migrations


class Migration(migrations.Migration):
    """The ends of before, in one statement that keeps nobody waiting, however long it takes."""

    dependencies = [("jobs", "0018_ends")]

    operations = [
        migrations.RunSQL(
            "SET LOCAL statement_timeout = 0; SELECT jobs_recount_ends(clock_timestamp())",
            migrations.RunSQL.noop,
        ),
    ]
