from django.apps import AppConfig
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    """Keeps the table of error meanings equal to the reviewed catalogue after each migration."""

    name = "jobs"
    label = "jobs"

    def ready(self) -> None:
        from jobs.catalogue import sync_after_migrate

        post_migrate.connect(sync_after_migrate, sender=self)
