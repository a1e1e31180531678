from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('brokerage', '0002_reprocessing_at_tier1'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='site',
            options={'ordering': ['cloud__name', 'tier', 'name'], 'permissions': [('set_site_status', 'Can set a site online, offline, brokeroff or test')]},
        ),
    ]
