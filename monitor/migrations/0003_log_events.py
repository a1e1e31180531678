from django.db import migrations, models


class Migration(migrations.Migration):

    """Lines of the log, and sums of datasets."""

    dependencies = [("monitor", "0002_saved_views")]

    operations = [
        migrations.CreateModel(
            name='LogEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(help_text='what part of the system it is about', max_length=12)),
                ('level', models.PositiveSmallIntegerField(help_text='as logging has it: 20 is INFO')),
                ('logger', models.CharField(max_length=100)),
                ('event', models.CharField(max_length=500)),
                ('facts', models.JSONField(default=dict)),
                ('host', models.CharField(max_length=128)),
                ('process', models.IntegerField()),
                ('request_id', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['at', 'kind', 'level'], name='log_event_window'), models.Index(fields=['kind', '-id'], name='log_event_kind'), models.Index(condition=models.Q(('level__gte', 30)), fields=['-id'], name='log_event_warning')],
            },
        ),
        migrations.CreateModel(
            name='PhysicsTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slice', models.IntegerField()),
                ('project', models.CharField(max_length=64)),
                ('stream', models.CharField(max_length=64)),
                ('step', models.CharField(max_length=64)),
                ('data_type', models.CharField(max_length=64)),
                ('datasets', models.BigIntegerField()),
                ('files', models.BigIntegerField()),
                ('size', models.BigIntegerField(verbose_name='size (bytes)')),
                ('events', models.BigIntegerField()),
                ('counted', models.BigIntegerField(help_text='files whose events are known')),
                ('latest', models.DateTimeField(help_text='when the newest dataset was made')),
                ('as_of', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('slice', 'project', 'stream', 'step', 'data_type'), name='physics_tally_once')],
            },
        ),
    ]
