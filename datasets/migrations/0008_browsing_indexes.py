from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Lists of datasets by category, project and type, each the newest first; what waits longest."""

    atomic = False  # built while jobs go on being submitted
    dependencies = [("datasets", "0007_browsing")]

    operations = [
        AddIndexConcurrently(
            model_name='dataset',
            index=models.Index(condition=models.Q(('category', ''), _negated=True), fields=['id'], name='dataset_listed'),
        ),
        AddIndexConcurrently(
            model_name='dataset',
            index=models.Index(condition=models.Q(('category', ''), _negated=True), fields=['category', 'id'], name='dataset_of_category'),
        ),
        AddIndexConcurrently(
            model_name='dataset',
            index=models.Index(condition=models.Q(('category', ''), _negated=True), fields=['project', 'id'], name='dataset_of_project'),
        ),
        AddIndexConcurrently(
            model_name='dataset',
            index=models.Index(condition=models.Q(('category', ''), _negated=True), fields=['data_type', 'id'], name='dataset_of_type'),
        ),
        AddIndexConcurrently(
            model_name='dataset',
            index=models.Index(condition=models.Q(('category', ''), models.Q(('type__in', ('dispatch', 'sub')), _negated=True)), fields=['id'], name='dataset_uncategorised'),
        ),
        AddIndexConcurrently(
            model_name='dataset',
            index=models.Index(condition=models.Q(('aborted_at__isnull', False), ('n_lost__gt', 0), _connector='OR'), fields=['id'], name='dataset_aborted_or_lost'),
        ),
        AddIndexConcurrently(
            model_name='dataset',
            index=models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['expires_at'], name='dataset_expires'),
        ),
        AddIndexConcurrently(
            model_name='transfer',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'copying'))), fields=['created_at'], name='transfer_waiting'),
        ),
    ]
