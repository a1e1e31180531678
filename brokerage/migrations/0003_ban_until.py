from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("brokerage", "0002_site_job_cap")]

    operations = [
        migrations.AddField(
            model_name="bannednode",
            name="until",
            field=models.DateTimeField(
                blank=True,
                help_text="when the node gets jobs again by itself; empty = never",
                null=True,
            ),
        ),
    ]
