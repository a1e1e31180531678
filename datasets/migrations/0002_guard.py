from django.db import migrations

from datasets.states import DATASET_MOVES, TRANSFER_MOVES
from pandasite.base.guard import guard_sql


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_initial")]

    operations = [
        migrations.RunSQL(*guard_sql("datasets_transfer", TRANSFER_MOVES)),
        migrations.RunSQL(*guard_sql("datasets_dataset", DATASET_MOVES)),
    ]
