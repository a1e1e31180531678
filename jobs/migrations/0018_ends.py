from django.db import migrations, models

from pandasite.base.sqlfile import sql_file


class Migration(migrations.Migration):
    """From here on every end is summed up (0019 adds the ends before it), and bans may end."""

    dependencies = [
        ('brokerage', '0003_ban_until'),
        ('jobs', '0017_lighter_rows'),
    ]

    operations = [
        migrations.CreateModel(
            name='EndDelta',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('site_id', models.BigIntegerField(help_text='0 = none')),
                ('label', models.CharField(max_length=20)),
                ('state', models.CharField(max_length=12)),
                ('component', models.CharField(max_length=16)),
                ('code', models.IntegerField()),
                ('n', models.BigIntegerField(help_text='jobs that carry the error')),
                ('jobs', models.BigIntegerField(help_text='jobs whose first error it is')),
                ('cpu_s', models.BigIntegerField(help_text='of those that carry it', verbose_name='CPU (s)')),
                ('lost_s', models.BigIntegerField(help_text='of those whose first error it is', verbose_name='CPU (s)')),
                ('busy_s', models.BigIntegerField(help_text='of those whose first error it is', verbose_name='wall time x cores (s)')),
                ('latest', models.DateTimeField(null=True)),
                ('domain', models.CharField(help_text='of the node: wn1.a.org is in a.org', max_length=128)),
                ('node', models.CharField(max_length=128)),
                ('processing_type', models.CharField(max_length=64)),
                ('transformation', models.CharField(max_length=255)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AlterModelOptions(
            name='job',
            options={'ordering': ['-panda_id'], 'permissions': [('submit_production', 'Can submit production jobs and set any priority'), ('kill_any_job', 'Can kill the jobs of others'), ('retry_any_job', 'Can try failed jobs of others again')]},
        ),
        migrations.CreateModel(
            name='ErrorCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('site_id', models.BigIntegerField(help_text='0 = none')),
                ('label', models.CharField(max_length=20)),
                ('state', models.CharField(max_length=12)),
                ('component', models.CharField(max_length=16)),
                ('code', models.IntegerField()),
                ('n', models.BigIntegerField(help_text='jobs that carry the error')),
                ('jobs', models.BigIntegerField(help_text='jobs whose first error it is')),
                ('cpu_s', models.BigIntegerField(help_text='of those that carry it', verbose_name='CPU (s)')),
                ('lost_s', models.BigIntegerField(help_text='of those whose first error it is', verbose_name='CPU (s)')),
                ('busy_s', models.BigIntegerField(help_text='of those whose first error it is', verbose_name='wall time x cores (s)')),
                ('latest', models.DateTimeField(null=True)),
                ('domain', models.CharField(help_text='of the node: wn1.a.org is in a.org', max_length=128)),
            ],
            options={
                'indexes': [models.Index(fields=['component', 'code', 'hour'], include=('site_id', 'n'), name='error_count_code')],
                'constraints': [models.UniqueConstraint(fields=('hour', 'site_id', 'domain', 'label', 'state', 'component', 'code'), name='error_count_once')],
            },
        ),
        migrations.CreateModel(
            name='ErrorTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('label', models.CharField(max_length=20)),
                ('state', models.CharField(max_length=12)),
                ('component', models.CharField(max_length=16)),
                ('code', models.IntegerField()),
                ('n', models.BigIntegerField(help_text='jobs that carry the error')),
                ('jobs', models.BigIntegerField(help_text='jobs whose first error it is')),
                ('cpu_s', models.BigIntegerField(help_text='of those that carry it', verbose_name='CPU (s)')),
                ('lost_s', models.BigIntegerField(help_text='of those whose first error it is', verbose_name='CPU (s)')),
                ('busy_s', models.BigIntegerField(help_text='of those whose first error it is', verbose_name='wall time x cores (s)')),
                ('latest', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('hour', 'label', 'state', 'component', 'code'), name='error_total_once')],
            },
        ),
        migrations.CreateModel(
            name='NodeCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('site_id', models.BigIntegerField(help_text='0 = none')),
                ('node', models.CharField(max_length=128)),
                ('finished', models.BigIntegerField()),
                ('failed', models.BigIntegerField()),
                ('cancelled', models.BigIntegerField()),
                ('lost_s', models.BigIntegerField(verbose_name='CPU of failed jobs (s)')),
                ('latest', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['site_id', 'node', 'hour'], name='node_count_node')],
                'constraints': [models.UniqueConstraint(fields=('hour', 'site_id', 'node'), name='node_count_once')],
            },
        ),
        migrations.CreateModel(
            name='WorkflowCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('site_id', models.BigIntegerField(help_text='0 = none')),
                ('label', models.CharField(max_length=20)),
                ('processing_type', models.CharField(max_length=64)),
                ('transformation', models.CharField(max_length=255)),
                ('component', models.CharField(max_length=16)),
                ('code', models.IntegerField()),
                ('n', models.BigIntegerField()),
                ('cpu_s', models.BigIntegerField(verbose_name='CPU (s)')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('hour', 'site_id', 'label', 'processing_type', 'transformation', 'component', 'code'), name='workflow_count_once')],
            },
        ),
        # Nobody looks for one row of it.
        migrations.RunSQL(
            "ALTER TABLE jobs_enddelta DROP CONSTRAINT jobs_enddelta_pkey",
            "ALTER TABLE jobs_enddelta ADD CONSTRAINT jobs_enddelta_pkey PRIMARY KEY (id)",
        ),
        migrations.RunSQL(
            sql_file("jobs", "ends"),
            "DROP TRIGGER jobs_job_end_born ON jobs_job;"
            "DROP TRIGGER jobs_job_end_changed ON jobs_job;"
            "DROP TRIGGER jobs_job_end_gone ON jobs_job;",
        ),
        migrations.RunSQL(sql_file("jobs", "claim"), migrations.RunSQL.noop),
    ]
