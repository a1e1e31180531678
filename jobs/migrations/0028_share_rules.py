from django.db import migrations

from pandasite.base.sqlfile import sql_file

UNDO = """
DROP TRIGGER jobs_job_unlifted ON jobs_job;
DROP TRIGGER jobs_share_checked ON jobs_share;
DROP FUNCTION jobs_job_unlifted, jobs_share_checked;
"""


class Migration(migrations.Migration):
    """The database holds the tree of shares, and gives jobs their own priority back."""

    dependencies = [("jobs", "0027_streams")]

    operations = [
        migrations.RunSQL(sql_file("jobs", "share"), UNDO),
    ]
