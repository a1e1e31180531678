"""`manage.py up`: the whole site with one command."""

import os
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from pandasite.launcher import LaunchError, Stack


class Command(BaseCommand):
    help = (
        "Starts database, broker, web server and workers, and keeps them running until "
        "Ctrl-C, SIGTERM or `manage.py down`."
    )
    requires_system_checks = ()  # they are for the deployer, and would cost a second here

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Stack(say=self._say) as stack:
                self._say(f"running as process {os.getpid()}; logs are in {stack.logs}")
                stack.run()
                self._say("stopping")
            self._say("stopped")
        except (LaunchError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
