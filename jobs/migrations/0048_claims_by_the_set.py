from django.db import migrations

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """Claims, one or some, share the statements that they take."""

    dependencies = [("jobs", "0047_nodes_of_sites")]

    operations = [
        migrations.RunSQL(
            "DROP FUNCTION IF EXISTS jobs_claims(json);"
            "DROP FUNCTION IF EXISTS jobs_claim;"
            "DROP FUNCTION IF EXISTS jobs_room(bigint, int, int)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(sql_file("jobs", "room"), migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop),
        migrations.RunSQL(
            sql_file("jobs", "claims"),
            # the first of these had another argument, which 0041 takes away
            "DROP FUNCTION jobs_claims(jobs_ask[], text[], text[], int, int, timestamptz);"
            "CREATE FUNCTION jobs_claims(json) RETURNS int LANGUAGE sql AS 'SELECT 0'",
        ),
    ]
