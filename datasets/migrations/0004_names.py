from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Files are found by how their name begins."""

    atomic = False  # built while files go on being registered
    dependencies = [("datasets", "0003_patrol")]

    operations = [
        AddIndexConcurrently(
            model_name="file",
            index=models.Index(
                fields=["lfn"], opclasses=["text_pattern_ops"], name="file_lfn_begins"
            ),
        ),
    ]
