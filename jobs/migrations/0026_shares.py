import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """The tree of shares, lifted priorities, and quotas of a day that act."""

    dependencies = [("jobs", "0025_bamboo")]

    operations = [
        migrations.CreateModel(
            name='PriorityLift',
            fields=[
                ('job_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('own', models.IntegerField(help_text='its priority without the sweep')),
                ('given', models.IntegerField()),
                ('by_hand', models.BooleanField(default=False)),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='QuotaHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('user', 'user (prodUserID)'), ('group', 'working group')], max_length=5)),
                ('name', models.CharField(max_length=250)),
                ('used_hours', models.FloatField()),
                ('limit_hours', models.FloatField()),
                ('since', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Share',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('percent', models.FloatField(default=100, help_text='of its parent; the children of one parent add up to 100', validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(100.0)])),
                ('working_group', models.CharField(blank=True, help_text='of the jobs that belong to it; empty: any', max_length=64)),
                ('processing_type', models.CharField(blank=True, help_text='of the jobs that belong to it; empty: any', max_length=64)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='ShareUse',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('core_s', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name='livetally',
            name='processing_type',
            field=models.CharField(db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='usagequota',
            name='cpu_hours_day',
            field=models.FloatField(blank=True, help_text='empty = any number; who used more has a lower priority', null=True, validators=[django.core.validators.MinValueValidator(0.0)], verbose_name='CPU hours in a day'),
        ),
        migrations.AddField(
            model_name='usagequota',
            name='hard',
            field=models.BooleanField(default=False, help_text='who used the CPU hours of a day waits', verbose_name='hard limit'),
        ),
        migrations.AddField(
            model_name='usagequota',
            name='priority_offset',
            field=models.IntegerField(default=0, help_text='added to the priority of user jobs', validators=[django.core.validators.MinValueValidator(-10000), django.core.validators.MaxValueValidator(10000)]),
        ),
        migrations.AddConstraint(
            model_name='usagequota',
            constraint=models.CheckConstraint(condition=models.Q(('cpu_hours_day', None), ('cpu_hours_day__gte', 0), _connector='OR'), name='quota_of_day_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='usagequota',
            constraint=models.CheckConstraint(condition=models.Q(('hard', False), ('cpu_hours_day__isnull', False), _connector='OR'), name='quota_hard_has_a_limit', violation_error_message='A hard limit needs the CPU hours in a day.'),
        ),
        migrations.AddConstraint(
            model_name='quotahold',
            constraint=models.UniqueConstraint(fields=('kind', 'name'), name='quota_hold_once'),
        ),
        migrations.CreateModel(
            name='ShareTally',
            fields=[
                ('share', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='tally', serialize=False, to='jobs.share')),
                ('used', models.IntegerField(help_text='cores that pilots hold for its jobs')),
                ('target', models.FloatField(help_text='cores that it should have, as long as others have work')),
                ('waiting', models.IntegerField(help_text='activated jobs, as tallied')),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='share',
            name='parent',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='children', to='jobs.share'),
        ),
        migrations.AddField(
            model_name='prioritylift',
            name='share',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='jobs.share'),
        ),
        migrations.AddField(
            model_name='shareuse',
            name='share',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='uses', to='jobs.share'),
        ),
        migrations.AddConstraint(
            model_name='share',
            constraint=models.CheckConstraint(condition=models.Q(('percent__gte', 0), ('percent__lte', 100)), name='share_percent_in_range'),
        ),
        migrations.AddConstraint(
            model_name='share',
            constraint=models.CheckConstraint(condition=models.Q(('parent', None), models.Q(('parent', models.F('id')), _negated=True), _connector='OR'), name='share_not_its_own_parent'),
        ),
        migrations.AddConstraint(
            model_name='share',
            constraint=models.UniqueConstraint(fields=('parent', 'working_group', 'processing_type'), name='share_once_below_its_parent', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='shareuse',
            constraint=models.UniqueConstraint(fields=('share', 'hour'), name='share_use_once'),
        ),
    ]
