from django.db import migrations

from jobs.counts import COUNT_BIRTHS


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_promises")]

    operations = [migrations.RunSQL(*COUNT_BIRTHS)]
