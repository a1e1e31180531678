import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Sandboxes: archives of users, which their jobs unpack."""

    dependencies = [
        ('jobs', '0030_tags'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Sandbox',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('size', models.BigIntegerField()),
                ('crc32', models.BigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField()),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'sandboxes',
                'indexes': [models.Index(fields=['owner', 'size', 'crc32'], name='sandbox_of_owner'), models.Index(fields=['last_used_at'], name='sandbox_last_used')],
                'constraints': [models.CheckConstraint(condition=models.Q(('size__gte', 0)), name='sandbox_size')],
            },
        ),
    ]
