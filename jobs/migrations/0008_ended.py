import django.db.models.deletion
from django.db import migrations, models

from pandasite.base.sqlfile import sql_file


def view(name, key, **options):
    """A model over both sides. Its columns are those of the live one, in whatever state that is."""
    return migrations.CreateModel(
        name=name,
        fields=[key],
        options={
            "db_table": f"jobs_{name.lower()}",
            "managed": False,
            "abstract": False,
            "default_permissions": (),
        }
        | options,
    )


def number(name, **options):
    return (name, models.BigAutoField(primary_key=True, serialize=False, **options))


ITS_JOB = models.OneToOneField(
    on_delete=django.db.models.deletion.DO_NOTHING,
    primary_key=True,
    related_name="+",
    serialize=False,
    to="jobs.anyjob",
)


class Migration(migrations.Migration):
    """Ended jobs lie apart; nothing points at a job by a constraint any more."""

    dependencies = [("jobs", "0007_births")]

    operations = [
        migrations.AlterField(
            model_name="jobfile",
            name="job",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="files",
                to="jobs.job",
            ),
        ),
        migrations.AlterField(
            model_name="joboutput",
            name="job",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="output",
                serialize=False,
                to="jobs.job",
            ),
        ),
        migrations.RunSQL(sql_file("jobs", "ended_tables"), sql_file("jobs", "ended_undo")),
        migrations.RunSQL(sql_file("jobs", "ended"), migrations.RunSQL.noop),
        migrations.RunSQL("SELECT jobs_ended_follow()", migrations.RunSQL.noop),
        view("AnyJob", number("panda_id"), ordering=["-panda_id"], verbose_name="job"),
        view("AnyJobFile", number("id"), ordering=["id"], verbose_name="job file"),
        view("AnyJobEvent", number("id"), ordering=["job_id", "seq"], verbose_name="job event"),
        view("AnyJobOutput", ("job", ITS_JOB), verbose_name="job output"),
    ]
