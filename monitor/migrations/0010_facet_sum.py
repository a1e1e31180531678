from django.db import migrations, models


class Migration(migrations.Migration):
    """The boxes without a filter are one row; the sweep `monitor.count_facets` writes it."""

    dependencies = [("monitor", "0009_logger_lamp")]

    operations = [
        migrations.CreateModel(
            name="FacetSum",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "as_of",
                    models.DateTimeField(
                        help_text="of the shelf that was counted the longest ago"
                    ),
                ),
                (
                    "boxes",
                    models.JSONField(
                        help_text="by box: its most frequent values with their jobs"
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
    ]
