from django.db import migrations, models
from django.db.models import Q

from pandasite.base.sqlfile import sql_file

# A fold that is on its way waits; what it has read counts in neither.
FILL = """
SET LOCAL statement_timeout = 0;
LOCK TABLE jobs_nodecount IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM jobs_nodecount WHERE node = '';
INSERT INTO jobs_nodecount (hour, site_id, node, finished, failed, cancelled, lost_s, latest)
SELECT hour, site_id, '', sum(finished), sum(failed), sum(cancelled), sum(lost_s), max(latest)
FROM jobs_nodecount GROUP BY hour, site_id;
"""
EMPTY = "DELETE FROM jobs_nodecount WHERE node = ''"


class Migration(migrations.Migration):
    """What the jobs of all nodes of a site came to, so that a page of nodes need not add it up."""

    dependencies = [("jobs", "0046_lists_by_cloud_and_error")]

    operations = [
        migrations.RunSQL(FILL, EMPTY),
        migrations.RunSQL(sql_file("jobs", "ends"), migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="nodecount",
            index=models.Index(
                fields=["hour"],
                include=["site_id", "node", "failed"],
                condition=~Q(failed=0) & ~Q(node=""),
                name="node_count_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="nodecount",
            index=models.Index(
                fields=["hour"],
                include=["site_id", "finished", "failed"],
                condition=Q(node=""),
                name="node_count_site",
            ),
        ),
    ]
