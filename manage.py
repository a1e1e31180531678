#!/usr/bin/env python
"""The command line of pandasite: `python manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    from pandasite.engines import out_of_reach

    try:
        _ = settings.INSTALLED_APPS  # reads the settings; a bad one is told without a traceback
    except ImproperlyConfigured as error:
        sys.exit(f"Cannot start: {error}")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        reason = out_of_reach(error)
        if not reason:
            raise
        sys.exit(reason)


if __name__ == "__main__":
    main()
