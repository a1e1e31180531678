"""The WSGI entry point: `gunicorn pandasite.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
application = get_wsgi_application()
