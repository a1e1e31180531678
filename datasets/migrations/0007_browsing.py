import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """What the browser shows of a dataset, and the table of categories."""

    dependencies = [
        ('datasets', '0006_lanes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DatasetCategory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=32, unique=True)),
                ('description', models.CharField(blank=True, max_length=255)),
                ('patterns', models.TextField(blank=True, help_text='one a line, with * and ? and [0-9]; the first category that fits has the dataset. One without patterns has what fits none.')),
                ('position', models.PositiveSmallIntegerField(default=100, help_text='in the table, ascending')),
            ],
            options={
                'verbose_name_plural': 'dataset categories',
                'ordering': ['position', 'name'],
            },
        ),
        migrations.CreateModel(
            name='DatasetCopy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('files', models.IntegerField()),
                ('bytes', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='DatasetTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slice', models.IntegerField()),
                ('category', models.CharField(max_length=32)),
                ('project', models.CharField(max_length=64)),
                ('datasets', models.BigIntegerField()),
                ('files', models.BigIntegerField()),
                ('size', models.BigIntegerField(verbose_name='size (bytes)')),
            ],
        ),
        migrations.AddField(
            model_name='dataset',
            name='aborted_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='dataset',
            name='aborted_reason',
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name='dataset',
            name='category',
            field=models.CharField(blank=True, help_text='by its name; empty: a block, or not looked at yet', max_length=32),
        ),
        migrations.AddField(
            model_name='dataset',
            name='data_type',
            field=models.CharField(blank=True, help_text='such as AOD, by its name', max_length=64),
        ),
        migrations.AddField(
            model_name='dataset',
            name='expires_at',
            field=models.DateTimeField(blank=True, help_text='may be erased from then on; empty: never by itself', null=True),
        ),
        migrations.AddField(
            model_name='dataset',
            name='metadata',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='dataset',
            name='n_bytes',
            field=models.BigIntegerField(default=0, verbose_name='bytes'),
        ),
        migrations.AddField(
            model_name='dataset',
            name='n_events',
            field=models.BigIntegerField(default=0, verbose_name='events'),
        ),
        migrations.AddField(
            model_name='dataset',
            name='n_files',
            field=models.IntegerField(default=0, verbose_name='files'),
        ),
        migrations.AddField(
            model_name='dataset',
            name='n_lost',
            field=models.IntegerField(default=0, help_text='no good replica is left', verbose_name='lost files'),
        ),
        migrations.AddField(
            model_name='dataset',
            name='owner',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='datasets', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='dataset',
            name='scope',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='dataset',
            name='summed_at',
            field=models.DateTimeField(blank=True, help_text='when its sums changed last; empty: never counted', null=True),
        ),
        migrations.AddConstraint(
            model_name='dataset',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.LessThanOrEqual(django.db.models.functions.text.Length(django.db.models.functions.comparison.Cast('metadata', models.TextField())), models.Value(16384)), name='dataset_metadata_bounded', violation_error_message='metadata must be at most 16384 characters of JSON'),
        ),
        migrations.AddField(
            model_name='datasetcopy',
            name='dataset',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='copies', to='datasets.dataset'),
        ),
        migrations.AddField(
            model_name='datasetcopy',
            name='storage',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='datasets.storageelement'),
        ),
        migrations.AddConstraint(
            model_name='datasettally',
            constraint=models.UniqueConstraint(fields=('slice', 'category', 'project'), name='dataset_tally_once'),
        ),
        migrations.AddField(
            model_name='dataset',
            name='project',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.text.Left(models.Func(models.F('name'), models.Value('.'), models.Value(1), function='split_part'), 64), help_text='first field of the name', output_field=models.CharField(max_length=64)),
        ),
        migrations.AddConstraint(
            model_name='datasetcopy',
            constraint=models.UniqueConstraint(fields=('storage', 'dataset'), name='dataset_copy_once'),
        ),
    ]
