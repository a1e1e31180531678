"""The Celery application. A message is a hint, the truth is a row: see jobs/sweeps.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
app = Celery("pandasite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
