import django.core.validators
from django.db import migrations, models


# The ended jobs of a pilot; the live ones are looked for among those of its site.
PILOT = "CREATE INDEX endedjob_pilot ON jobs_endedjob (pilot_id) WHERE pilot_id IS NOT NULL"


class Migration(migrations.Migration):
    """Summaries of what was used, quotas, and the ended jobs of a pilot."""

    dependencies = [
        ('jobs', '0019_ends_until_now'),
    ]

    operations = [
        migrations.RunSQL(PILOT, "DROP INDEX endedjob_pilot"),
        migrations.CreateModel(
            name='UsageBook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('kept_from', models.DateTimeField(help_text='rows of days before are forgotten', null=True)),
            ],
        ),
        migrations.CreateModel(
            name='FactoryTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('factory', models.CharField(max_length=64)),
                ('site_id', models.BigIntegerField()),
                ('pilots', models.BigIntegerField(help_text='that called within 24 hours')),
                ('lately', models.BigIntegerField(help_text='that called within 3 hours')),
                ('idle', models.BigIntegerField(help_text='of those within 24 hours: never had a job')),
                ('calls', models.BigIntegerField(help_text='requests for work in the life of these pilots')),
                ('jobs', models.BigIntegerField(help_text='jobs they were given')),
                ('latest', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('factory', 'site_id'), name='factory_tally_once')],
            },
        ),
        migrations.CreateModel(
            name='LiveTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user', models.CharField(max_length=250)),
                ('working_group', models.CharField(max_length=64)),
                ('task_id', models.BigIntegerField()),
                ('cloud_id', models.BigIntegerField()),
                ('site_id', models.BigIntegerField()),
                ('label', models.CharField(max_length=20)),
                ('state', models.CharField(max_length=12)),
                ('n', models.BigIntegerField()),
                ('inputs', models.BigIntegerField()),
                ('latest', models.DateTimeField(help_text='last change of a state')),
            ],
            options={
                'indexes': [models.Index(fields=['user'], name='live_tally_user'), models.Index(fields=['task_id'], name='live_tally_task')],
            },
        ),
        migrations.CreateModel(
            name='TaskUsage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('site_id', models.BigIntegerField(help_text='0 = none')),
                ('finished', models.BigIntegerField(default=0)),
                ('failed', models.BigIntegerField(default=0)),
                ('cancelled', models.BigIntegerField(default=0)),
                ('wall_s', models.BigIntegerField(default=0)),
                ('cpu_s', models.BigIntegerField(default=0)),
                ('latest', models.DateTimeField()),
                ('since', models.DateTimeField()),
                ('task_id', models.BigIntegerField()),
                ('lost', models.BigIntegerField(default=0)),
                ('inputs_done', models.BigIntegerField(default=0)),
                ('inputs_lost', models.BigIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(fields=['since'], name='task_usage_since')],
                'constraints': [models.UniqueConstraint(fields=('task_id', 'site_id', 'since'), name='task_usage_once')],
            },
        ),
        migrations.CreateModel(
            name='Usage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('site_id', models.BigIntegerField(help_text='0 = none')),
                ('finished', models.BigIntegerField(default=0)),
                ('failed', models.BigIntegerField(default=0)),
                ('cancelled', models.BigIntegerField(default=0)),
                ('wall_s', models.BigIntegerField(default=0)),
                ('cpu_s', models.BigIntegerField(default=0)),
                ('latest', models.DateTimeField()),
                ('since', models.DateTimeField()),
                ('hours', models.PositiveSmallIntegerField(choices=[(1, 'an hour'), (24, 'a day')])),
                ('user', models.CharField(help_text='prodUserID', max_length=250)),
                ('working_group', models.CharField(max_length=64)),
                ('label', models.CharField(max_length=20, verbose_name='prodSourceLabel')),
            ],
            options={
                'indexes': [models.Index(fields=['user', 'since'], name='usage_user')],
                'constraints': [models.UniqueConstraint(fields=('since', 'hours', 'user', 'working_group', 'site_id', 'label'), name='usage_once')],
            },
        ),
        migrations.CreateModel(
            name='UsageQuota',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('user', 'user (prodUserID)'), ('group', 'working group')], default='user', max_length=5)),
                ('name', models.CharField(help_text='as jobs name it', max_length=250)),
                ('cpu_hours', models.FloatField(help_text='0 = nothing at all', validators=[django.core.validators.MinValueValidator(0.0)], verbose_name='CPU hours in 30 days')),
                ('note', models.CharField(blank=True, max_length=255)),
            ],
            options={
                'ordering': ['kind', 'name'],
                'constraints': [models.UniqueConstraint(fields=('kind', 'name'), name='quota_once'), models.CheckConstraint(condition=models.Q(('cpu_hours__gte', 0)), name='quota_not_negative')],
            },
        ),
    ]
