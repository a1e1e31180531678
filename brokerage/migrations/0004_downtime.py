import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('brokerage', '0003_ban_until'),
    ]

    operations = [
        migrations.CreateModel(
            name='Downtime',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.DateTimeField(verbose_name='start (UTC)')),
                ('end', models.DateTimeField(verbose_name='end (UTC)')),
                ('severity', models.CharField(choices=[('outage', 'outage: nothing works'), ('warning', 'warning: some things may not work')], default='outage', max_length=8)),
                ('description', models.CharField(max_length=255)),
                ('link', models.CharField(blank=True, max_length=255, validators=[django.core.validators.URLValidator(schemes=['http', 'https'])])),
                ('author', models.CharField(blank=True, editable=False, max_length=150)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='downtimes', to='brokerage.site')),
            ],
            options={
                'ordering': ['-start'],
                'indexes': [models.Index(fields=['end'], name='downtime_end')],
                'constraints': [models.CheckConstraint(condition=models.Q(('end__gt', models.F('start'))), name='downtime_ends_after_its_start')],
            },
        ),
    ]
