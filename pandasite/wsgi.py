"""The WSGI entry point, which pandasite/launcher/web.py serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
application = get_wsgi_application()
# Django would load the views at the first request, which is once in each worker: before the fork
# it is once for all, and a worker that takes the place of a killed one answers at once.
_ = get_resolver().url_patterns
