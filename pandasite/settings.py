"""First sketch of the settings."""
import os
from pathlib import Path
import dj_database_url
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "sketch" * 10)
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = [
    "pandasite", "pandasite.base", "brokerage", "datasets", "jobs", "monitor",
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework", "knox", "drf_spectacular", "drf_spectacular_sidecar", "django_filters",
    "django_tables2", "django_htmx", "django_celery_beat", "import_export", "csp", "django_structlog",
]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=60)}
ROOT_URLCONF = "pandasite.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
PANDASITE = {}
