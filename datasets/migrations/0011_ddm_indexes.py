from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # built while subscriptions are made

    dependencies = [
        ('datasets', '0010_ddm'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='subscription',
            index=models.Index(condition=models.Q(('ddm', ''), _negated=True), fields=['ddm', 'asked_at'], name='subscription_ddm'),
        ),
        AddIndexConcurrently(
            model_name='subscription',
            index=models.Index(condition=models.Q(('callback__isnull', False), models.Q(('state', 'open'), _negated=True), models.Q(('told_state', models.F('state')), _negated=True)), fields=['id'], name='subscription_untold'),
        ),
    ]
