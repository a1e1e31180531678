from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DatasetsConfig(AppConfig):
    """Fills the table of categories when it is new."""

    name = "datasets"
    label = "datasets"

    def ready(self) -> None:
        from datasets import category_table

        post_migrate.connect(category_table.fill_after_migrate, sender=self)
