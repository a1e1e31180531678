import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """What the plots are drawn from."""

    initial = True

    dependencies = [("monitor", "0003_log_events")]

    operations = [
        migrations.CreateModel(
            name='EndedRoll',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('span', models.IntegerField()),
                ('start', models.DateTimeField()),
                ('cloud_id', models.BigIntegerField(default=0)),
                ('site_id', models.BigIntegerField(default=0)),
                ('finished', models.BigIntegerField(default=0)),
                ('failed', models.BigIntegerField(default=0)),
                ('cancelled', models.BigIntegerField(default=0)),
                ('payload_failed', models.BigIntegerField(default=0)),
                ('wall_seconds', models.BigIntegerField(default=0)),
                ('core_seconds', models.BigIntegerField(default=0)),
                ('cpu_seconds', models.BigIntegerField(default=0)),
                ('handed', models.BigIntegerField(default=0)),
                ('calls', models.BigIntegerField(default=0)),
                ('moved_bytes', models.BigIntegerField(default=0)),
                ('transfers', models.BigIntegerField(default=0)),
                ('transfers_failed', models.BigIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['span', 'start'], name='ended_roll_start')],
                'constraints': [models.UniqueConstraint(fields=('cloud_id', 'site_id', 'span', 'start'), name='ended_roll_once')],
            },
        ),
        migrations.CreateModel(
            name='LiveRoll',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('span', models.IntegerField()),
                ('start', models.DateTimeField()),
                ('cloud_id', models.BigIntegerField(default=0)),
                ('site_id', models.BigIntegerField(default=0)),
                ('samples', models.IntegerField(default=1)),
                ('defined', models.FloatField(default=0)),
                ('waiting', models.FloatField(default=0)),
                ('assigned', models.FloatField(default=0)),
                ('activated', models.FloatField(default=0)),
                ('sent', models.FloatField(default=0)),
                ('starting', models.FloatField(default=0)),
                ('running', models.FloatField(default=0)),
                ('holding', models.FloatField(default=0)),
                ('transferring', models.FloatField(default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['span', 'start'], name='live_roll_start')],
                'constraints': [models.UniqueConstraint(fields=('cloud_id', 'site_id', 'span', 'start'), name='live_roll_once')],
            },
        ),
        migrations.CreateModel(
            name='SpreadRoll',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('span', models.IntegerField()),
                ('start', models.DateTimeField()),
                ('cloud_id', models.BigIntegerField(default=0)),
                ('site_id', models.BigIntegerField(default=0)),
                ('what', models.CharField(max_length=12)),
                ('bins', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
            ],
            options={
                'indexes': [models.Index(fields=['span', 'start'], name='spread_roll_start')],
                'constraints': [models.UniqueConstraint(fields=('cloud_id', 'site_id', 'what', 'span', 'start'), name='spread_roll_once')],
            },
        ),
    ]
