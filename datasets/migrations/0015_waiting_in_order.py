from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Transfers that wait in the order in which the page shows them: many are of one moment."""

    atomic = False
    dependencies = [
        ('datasets', '0014_days'),
    ]

    operations = [
        RemoveIndexConcurrently(
            model_name='transfer',
            name='transfer_waiting',
        ),
        AddIndexConcurrently(
            model_name='transfer',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'copying'))), fields=['created_at', 'id'], name='transfer_waiting'),
        ),
    ]
