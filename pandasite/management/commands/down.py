"""`manage.py down`: ends what `manage.py up` started."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from pandasite.launcher.down import bring_down
from pandasite.launcher.errors import LaunchError


class Command(BaseCommand):
    help = "Ends what `manage.py up` started, also what a killed one left behind."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ran = bring_down(settings.PANDASITE_HOME, say=self.stdout.write)
        except LaunchError as error:
            raise CommandError(str(error)) from None
        if not ran:
            self.stdout.write("nothing is running")
