import django.contrib.postgres.fields
from django.db import migrations, models

from pandasite.base.sqlfile import sql_file

NOOP = migrations.RunSQL.noop
KEPT_KEYS = "UPDATE jobs_claimkey SET panda_ids = ARRAY[job_id], attempts = ARRAY[attempt_nr]"


def counter(name, **options):
    return migrations.CreateModel(
        name=name,
        fields=[
            ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ("site_id", models.BigIntegerField()),
            ("outcome", models.CharField(max_length=16)),
            ("hour", models.DateTimeField()),
            ("n", models.BigIntegerField()),
        ],
        options={"abstract": False} | options,
    )


class Migration(migrations.Migration):
    """What a claim needs, but for the index: see the next one."""

    dependencies = [
        ("brokerage", "0002_site_job_cap"),
        ("datasets", "0002_guard"),
        ("jobs", "0002_guard_and_counts"),
        ("knox", "0009_extend_authtoken_field"),
    ]

    operations = [
        counter("AnswerDelta"),
        counter("AnswerCount"),
        migrations.AddConstraint(
            model_name="answercount",
            constraint=models.UniqueConstraint(
                fields=("hour", "site_id", "outcome"), name="answer_count_once"
            ),
        ),
        migrations.CreateModel(
            name="QueueKind",
            fields=[
                ("pk", models.CompositePrimaryKey("site_id", "requirement", blank=True, editable=False, primary_key=True, serialize=False)),
                ("site_id", models.BigIntegerField()),
                ("requirement", models.BigIntegerField(help_text="jobs_requirement() of all that follows")),
                ("label", models.CharField(max_length=20)),
                ("vo_id", models.BigIntegerField()),
                ("processing_type", models.CharField(max_length=64)),
                ("release_key", models.CharField(help_text="AtlasRelease|cmtConfig", max_length=129)),
                ("min_ram_count", models.IntegerField()),
                ("max_disk_count", models.IntegerField()),
                ("min_cpu_speed", models.IntegerField()),
                ("core_count", models.IntegerField()),
            ],
        ),
        migrations.AddField(
            model_name="claimkey",
            name="panda_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="claimkey",
            name="attempts",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(),
                default=list,
                help_text="of those jobs, in order",
                size=None,
            ),
        ),
        migrations.RunSQL(KEPT_KEYS, NOOP),
        migrations.RemoveField(model_name="claimkey", name="attempt_nr"),
        migrations.RemoveField(model_name="claimkey", name="job_id"),
        *(
            migrations.RunSQL(sql_file("jobs", name), NOOP)
            for name in ("requirement", "queue", "token", "claim")
        ),
    ]
