from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("brokerage", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="site",
            name="job_cap",
            field=models.PositiveIntegerField(
                default=0,
                help_text="most that pilots may hold at a time; 0 = no limit",
                verbose_name="jobs at once",
            ),
        ),
    ]
