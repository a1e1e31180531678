from django.db import migrations, models

from pandasite.base.sqlfile import sql_file

NO_FREEZING = """
DROP TRIGGER IF EXISTS jobs_tag_frozen ON jobs_tag; DROP FUNCTION jobs_tag_frozen
"""


class Migration(migrations.Migration):
    """Tags: names for a transformation, a release and parameters."""

    dependencies = [
        ('jobs', '0029_kept_leases'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('transformation', models.CharField(max_length=255)),
                ('atlas_release', models.CharField(blank=True, default='', max_length=64)),
                ('cmt_config', models.CharField(blank=True, default='', max_length=64)),
                ('homepackage', models.CharField(blank=True, default='', max_length=80)),
                ('job_parameters', models.TextField(blank=True, default='')),
                ('description', models.CharField(blank=True, default='', max_length=255)),
                ('made_by', models.CharField(help_text='name of a user', max_length=150)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddConstraint(
            model_name='tag',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('name', ''), _negated=True), models.Q(('transformation', ''), _negated=True)), name='tag_says_something'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(condition=models.Q(('tag', ''), _negated=True), fields=['tag', '-task_id'], name='task_by_tag'),
        ),
        migrations.RunSQL(sql_file('jobs', 'tag'), NO_FREEZING),
    ]
