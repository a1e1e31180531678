from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets", "0015_waiting_in_order")]

    operations = [
        migrations.AddField(
            model_name="stagerequest",
            name="ticket",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="what the tape calls our request",
                max_length=255,
            ),
        ),
    ]
