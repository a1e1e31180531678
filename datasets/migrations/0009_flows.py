import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What moved, what failed and what waits, by the hour; how full storage was."""

    dependencies = [
        ('datasets', '0008_browsing_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='SpaceSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('capacity_bytes', models.BigIntegerField()),
                ('free_bytes', models.BigIntegerField()),
                ('storage', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='samples', to='datasets.storageelement')),
            ],
            options={
                'indexes': [models.Index(fields=['hour'], name='space_sample_hour')],
                'constraints': [models.UniqueConstraint(fields=('storage', 'hour'), name='space_sample_once')],
            },
        ),
        migrations.CreateModel(
            name='TransferFailure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('activity', models.CharField(max_length=32)),
                ('vo', models.CharField(max_length=64, verbose_name='VO')),
                ('hour', models.DateTimeField()),
                ('reason', models.CharField(max_length=32)),
                ('n', models.IntegerField()),
                ('sample', models.CharField(max_length=500)),
                ('transfer', models.BigIntegerField(help_text='whose error the sample is')),
                ('latest', models.DateTimeField()),
                ('destination', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
                ('source', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('hour', 'destination', 'source', 'activity', 'vo', 'reason'), name='transfer_failure_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='TransferQueue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('activity', models.CharField(max_length=32)),
                ('vo', models.CharField(max_length=64, verbose_name='VO')),
                ('state', models.CharField(max_length=8)),
                ('reason', models.CharField(max_length=32)),
                ('n', models.IntegerField()),
                ('bytes', models.BigIntegerField(help_text='of the files')),
                ('oldest', models.DateTimeField()),
                ('stuck', models.IntegerField(help_text='for more than a day')),
                ('sample', models.CharField(max_length=500)),
                ('destination', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
                ('source', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('destination', 'source', 'activity', 'vo', 'state', 'reason'), name='transfer_queue_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='TransferSum',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('activity', models.CharField(max_length=32)),
                ('vo', models.CharField(max_length=64, verbose_name='VO')),
                ('hour', models.DateTimeField()),
                ('done', models.IntegerField()),
                ('failed', models.IntegerField(help_text='given up')),
                ('tries', models.IntegerField(help_text='that failed, also of those that arrived in the end')),
                ('bytes', models.BigIntegerField()),
                ('seconds', models.FloatField(help_text='of copying, of those that arrived')),
                ('destination', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
                ('source', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('hour', 'destination', 'source', 'activity', 'vo'), name='transfer_sum_once', nulls_distinct=False)],
            },
        ),
    ]
