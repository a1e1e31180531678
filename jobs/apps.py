from django.apps import AppConfig
from django.db.models.signals import post_delete, post_migrate, post_save


class JobsConfig(AppConfig):
    """Keeps error meanings, groups and the root of shares whole after each migration.

    Retires pilot accounts as well.
    """

    name = "jobs"
    label = "jobs"

    def ready(self) -> None:
        from jobs import catalogue, groups, retire
        from jobs.models import PilotAccount
        from jobs.shares import root

        post_migrate.connect(catalogue.sync_after_migrate, sender=self)
        post_migrate.connect(groups.sync_after_migrate, sender=self)
        post_migrate.connect(root.make_after_migrate, sender=self)
        post_save.connect(retire.enlist, sender=PilotAccount)
        post_delete.connect(retire.retire, sender=PilotAccount)
