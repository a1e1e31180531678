from django.db import migrations, models
from django.utils import timezone


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_guard_and_counts")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="queued_since",
            field=models.DateTimeField(
                default=timezone.now, help_text="its birth, or when its last pilot was lost"
            ),
            preserve_default=False,
        ),
    ]
