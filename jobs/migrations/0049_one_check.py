from django.db import migrations, models

from pandasite.base.sqlfile import sql_file

CHECK = "CHECK (jobs_job_right(state, end_time, lease_until, lease_sha256, computing_site_id))"
ENDED = "state IN ('finished', 'failed', 'cancelled')"
LEASED = "state IN ('sent', 'starting', 'running')"
BEFORE = {
    "job_state_known": f"{ENDED} OR {LEASED} OR state IN ('defined', 'waiting', 'assigned',"
    " 'activated', 'holding', 'transferring')",
    "job_ended_iff_final": f"({ENDED}) = (end_time IS NOT NULL)",
    "job_leased_iff_with_pilot": f"({LEASED}) = (lease_until IS NOT NULL)"
    f" AND NOT ({LEASED} AND lease_sha256 = '')",
    "job_at_a_site": "computing_site_id IS NOT NULL OR"
    f" NOT ({LEASED} OR state IN ('assigned', 'activated'))",
}
DROP = ", ".join(f"DROP CONSTRAINT IF EXISTS {name}" for name in BEFORE)
ADD = ", ".join(f"ADD CONSTRAINT {name} CHECK ({rule})" for name, rule in BEFORE.items())


class Migration(migrations.Migration):
    """The promises of a job are one check, whose text is short.

    Each step is a transaction: the table is locked for moments only, and read while others write.
    """

    atomic = False
    dependencies = [("jobs", "0048_claims_by_the_set")]

    operations = [
        migrations.RunSQL(sql_file("jobs", "right"), "DROP FUNCTION jobs_job_right"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                *(migrations.RemoveConstraint(model_name="job", name=name) for name in BEFORE),
                migrations.AddConstraint(
                    model_name="job",
                    constraint=models.CheckConstraint(
                        condition=models.Func(
                            "state",
                            "end_time",
                            "lease_until",
                            "lease_sha256",
                            "computing_site",
                            function="jobs_job_right",
                            output_field=models.BooleanField(),
                        ),
                        name="job_right",
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(f"ALTER TABLE jobs_job {forwards}", f"ALTER TABLE jobs_job {back}")
                for forwards, back in (
                    ("DROP CONSTRAINT IF EXISTS job_right", "DROP CONSTRAINT IF EXISTS job_right"),
                    (f"ADD CONSTRAINT job_right {CHECK} NOT VALID", "DROP CONSTRAINT job_right"),
                    ("VALIDATE CONSTRAINT job_right", "VALIDATE CONSTRAINT job_right"),
                    (DROP, ADD),
                )
            ],
        ),
    ]
