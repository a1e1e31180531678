import django.db.models.deletion
from django.db import migrations, models

# Of what is there: hours of the last two days, and days before.
FILL = """
INSERT INTO datasets_transferday
  (hour, source_id, destination_id, activity, vo, done, failed, tries, bytes, seconds)
SELECT date_trunc('day', hour, 'UTC'), source_id, destination_id, activity, vo,
  sum(done), sum(failed), sum(tries), sum(bytes), sum(seconds)
FROM datasets_transfersum GROUP BY 1, 2, 3, 4, 5
"""


class Migration(migrations.Migration):
    """Sums of days beside those of hours: a week asks for an eighth of the rows."""

    dependencies = [
        ('datasets', '0013_elsewhere'),
    ]

    operations = [
        migrations.CreateModel(
            name='TransferDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('activity', models.CharField(max_length=32)),
                ('vo', models.CharField(max_length=64, verbose_name='VO')),
                ('hour', models.DateTimeField(help_text='its midnight', verbose_name='day')),
                ('done', models.IntegerField()),
                ('failed', models.IntegerField(help_text='given up')),
                ('tries', models.IntegerField(help_text='that failed, also of those that arrived in the end')),
                ('bytes', models.BigIntegerField()),
                ('seconds', models.FloatField(help_text='of copying, of those that arrived')),
                ('destination', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
                ('source', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('hour', 'destination', 'source', 'activity', 'vo'), name='transfer_day_once', nulls_distinct=False)],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
