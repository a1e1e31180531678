from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether the logger has lost lines of late is known without a look at them all."""

    dependencies = [("monitor", "0008_alerts")]

    operations = [
        migrations.AddIndex(
            model_name="logevent",
            index=models.Index(
                fields=["at"],
                condition=models.Q(logger="monitor.logger"),
                name="log_event_of_logger",
            ),
        ),
    ]
