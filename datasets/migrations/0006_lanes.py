from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Transfers are taken by the lane, and those under way are few among many."""

    atomic = False  # built while files go on moving
    dependencies = [("datasets", "0005_traffic")]

    operations = [
        AddIndexConcurrently(
            model_name='transfer',
            index=models.Index(models.F('destination'), models.F('activity'), models.OrderBy(models.F('priority'), descending=True), models.F('next_try_at'), condition=models.Q(('state', 'queued')), name='transfer_lane'),
        ),
        AddIndexConcurrently(
            model_name='transfer',
            index=models.Index(condition=models.Q(('state', 'copying')), fields=['lease_until'], name='transfer_copying'),
        ),
    ]
