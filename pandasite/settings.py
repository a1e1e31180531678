"""Django's settings, from the environment.

Without DATABASE_URL and BROKER_URL the embedded servers are used, for one machine. With them this
is production: secrets and host names must be given, cookies and redirects want TLS.
"""

import socket
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from pandasite.base.logging import DJANGO_STRUCTLOG, LOG_MIDDLEWARE, logging_config
from pandasite.celery import timetable
from pandasite.certificates import authorities_folder, front, tls_files
from pandasite.ddm import ddm_of_vos, ddm_secrets, rucio_server
from pandasite.embedded.home import Home
from pandasite.engines import Engines, are_outside, statement_seconds
from pandasite.environment import Environment
from pandasite.identity.issuers import read_issuers
from pandasite.identity.x509.authorities import Authorities
from pandasite.limits import read_limits
from pandasite.mail import mail_server
from pandasite.rest import REST_FRAMEWORK as REST_FRAMEWORK
from pandasite.rest import REST_KNOX as REST_KNOX
from pandasite.rest import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS

BASE_DIR = Path(__file__).resolve().parent.parent
environment = Environment()

# What is ours: read as django.conf.settings.PANDASITE["LEASE_SECONDS"] and so on.
_production = are_outside(environment)
PANDASITE_EMBEDDED = not _production
PANDASITE_HOME = Home.choose(
    asked=environment.text("PANDASITE_DATA"),
    repository=BASE_DIR,
    with_servers=PANDASITE_EMBEDDED,
)
_engines = Engines.choose(environment, PANDASITE_HOME)
PANDASITE = read_limits(environment, embedded=PANDASITE_EMBEDDED)
# Which data management system has the data of which VO, and the secrets shared with others.
PANDASITE_DDM = ddm_of_vos(environment)
PANDASITE_DDM_SECRETS = ddm_secrets(environment)
PANDASITE_RUCIO = rucio_server(environment, PANDASITE_DDM.values())
# Whose tokens are believed, and who may log people in: a file, docs/identity.md.
PANDASITE_ISSUERS = read_issuers(environment.text("PANDASITE_ISSUERS"))
# Where files go that people upload; empty: nobody may.
PANDASITE_UPLOAD_STORAGE = environment.text("PANDASITE_UPLOAD_STORAGE")
# Where users' sandboxes lie, the same folder for all hosts; and where PanDA's pilots fetch our
# transformations, if that is not the address by which they call.
PANDASITE_SANDBOXES = environment.text(
    "PANDASITE_SANDBOXES", str(PANDASITE_HOME.path / "sandboxes")
)
PANDASITE_TRF_URL = environment.text("PANDASITE_TRF_URL").rstrip("/")
# Whether who has not logged in may read the monitor.
PANDASITE_MONITOR_PUBLIC = environment.boolean(
    "PANDASITE_MONITOR_PUBLIC", default=PANDASITE_EMBEDDED
)

# Mails of people's alerts: the server that sends them (none: nobody is offered one), from whom, and
# the address of this site in them.
_mail = mail_server(environment)
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.ssl, _mail.starttls
DEFAULT_FROM_EMAIL = _mail.sender
PANDASITE_ADDRESS = _mail.site

# Storage elsewhere: a folder with a file for each secret, certificates besides those of the system,
# whether a storage element may be on this machine itself, and whether a root:// server may send on
# to others.
PANDASITE_STORAGE_SECRETS = environment.text(
    "PANDASITE_STORAGE_SECRETS", str(PANDASITE_HOME.path / "storage-secrets")
)
PANDASITE_STORAGE_CA = environment.text("PANDASITE_STORAGE_CA")
PANDASITE_STORAGE_LOOPBACK = environment.boolean(
    "PANDASITE_STORAGE_LOOPBACK", default=PANDASITE_EMBEDDED
)
PANDASITE_STORAGE_REDIRECTS = environment.boolean("PANDASITE_STORAGE_REDIRECTS", default=False)

# Grid certificates: a port with TLS of its own that takes them, and a web server in front that may
# name them in headers. Both are off until the environment names them.
PANDASITE_TLS = tls_files(environment)
PANDASITE_TLS_BIND = environment.text("PANDASITE_TLS_BIND")
PANDASITE_FRONT = front(environment)
PANDASITE_AUTHORITIES = Authorities(authorities_folder(environment))

# What the sweeps and the monitor call this machine; the default of a container says little.
PANDASITE_STATEMENT_SECONDS = statement_seconds(environment)
PANDASITE_HOST = environment.text("PANDASITE_HOST", socket.gethostname())[:128]

# Core
DEBUG = environment.boolean("DEBUG", default=False)
SECRET_KEY = _engines.secret_key
ALLOWED_HOSTS = environment.words(
    "ALLOWED_HOSTS", default=() if _production else ("localhost", "127.0.0.1", "[::1]")
)
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS must name the hosts of this site, separated by commas, "
        "when DATABASE_URL is set."
    )
CSRF_FAILURE_VIEW = "pandasite.base.problems.csrf_failure"
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")
INSTALLED_APPS = [
    "pandasite.apps.PandasiteConfig",
    "pandasite.base",
    "brokerage",
    "pandasite.identity",
    "datasets",
    "jobs",
    "jobs.proddb",
    "monitor",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "pandasite.apps.SlimStaticFilesConfig",  # django.contrib.staticfiles
    "django.contrib.humanize",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_tables2",
    "django_htmx",
    "django_celery_beat",
    "import_export",
    "csp",
    "django_structlog",
]
MIDDLEWARE = [
    "pandasite.identity.address.ClientAddressMiddleware",  # before all that looks at the address
    *LOG_MIDDLEWARE,
    "pandasite.base.middleware.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "pandasite.base.middleware.NullCharacterMiddleware",
    "pandasite.base.health.HealthMiddleware",
    "pandasite.base.door.DoorMiddleware",  # programs go no further
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "pandasite.base.middleware.TooOftenMiddleware",
]
ROOT_URLCONF = "pandasite.urls"
WSGI_APPLICATION = "pandasite.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTHENTICATION_BACKENDS = [
    "pandasite.identity.backend.RightsBackend",
    "pandasite.identity.login.IssuerBackend",  # lets nobody in where no issuer has a log-in
]
LOGIN_URL = "monitor:login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "monitor:dashboard"
LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = "pandasite.base.formats"
USE_TZ = True
TIME_ZONE = "UTC"
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024  # a submission of 1,000 jobs fits in
_level = environment.choice(
    "LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
)
LOGGING = logging_config(_level)
if PANDASITE["EVENT_QUEUE"]:  # what the logger page of the monitor shows
    LOGGING["handlers"]["events"] = {
        "class": "monitor.logger.handler.EventHandler",
        "size": PANDASITE["EVENT_QUEUE"],
    }
    LOGGING["root"]["handlers"].append("events")
globals().update(DJANGO_STRUCTLOG)  # names that begin with DJANGO_STRUCTLOG_

# Database
DATABASES = {"default": _engines.database}
if _engines.proddb:  # without it Bamboo is off
    DATABASES["proddb"] = _engines.proddb
DATABASE_ROUTERS = ["jobs.proddb.router.ProdDbRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Static files
STATIC_URL = "/static/"
STATIC_ROOT = PANDASITE_HOME.static
# Front-end libraries from npm, brought by deploy/bootstrap.py; absent until it has run.
STATICFILES_DIRS = [folder for folder in [BASE_DIR / "pandasite" / "static-npm"] if folder.is_dir()]
# To compress them takes 20 s, and gains nothing on the loopback interface.
_static_storage = (
    "whitenoise.storage.CompressedManifestStaticFilesStorage"
    if _production
    else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static_storage},
}

# Security: a session lasts a shift. `__Host-` names need TLS, which the embedded mode has not.
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_NAME = "__Host-sessionid" if _production else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if _production else "csrftoken"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _production
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = environment.boolean("SECURE_SSL_REDIRECT", default=_production)
SECURE_REDIRECT_EXEMPT = [r"^healthz/"]  # probes come over plain HTTP from the machine itself
SECURE_HSTS_SECONDS = environment.integer(
    "SECURE_HSTS_SECONDS", default=31_536_000 if _production else 0, low=0, high=63_072_000
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_HSTS_SECONDS > 0
if environment.boolean("TRUST_X_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # Bootstrap's and the admin's icons are data: images in CSS
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# REST: pandasite/rest.py
DJANGO_TABLES2_TEMPLATE = "django_tables2/bootstrap5.html"

# Celery. A message is a hint, the truth is a row: a lost one costs one round of the sweeps.
CELERY_BROKER_URL = _engines.broker_url
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker as long as it takes
CELERY_BROKER_CONNECTION_TIMEOUT = 1.0
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,  # ten times the time limit: no task runs twice while it is alive
    "socket_connect_timeout": 1.0,
    "socket_timeout": 5.0,
    # A message is a hint: no request waits for a broker that is away.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_ROUTES = {
    "datasets.transfer": {"queue": "transfers"},
    "datasets.ask_for_space": {"queue": "transfers"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Celery would connect to the database anew for each task; pandasite/celery.py looks after the
# connections as Django does between two requests.
CELERY_DB_REUSE_MAX = 2**62
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "pandasite.base.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE = timetable(sweep_seconds=PANDASITE["SWEEP_SECONDS"])
# /healthz/ready asks when each of them last ended.
EXPECTED_SWEEPS = {name: entry["schedule"] for name, entry in CELERY_BEAT_SCHEDULE.items()}
# Its own timetable, which the admin changes (jobs/bamboo/timetable.py); it may fail, and be late,
# without the site being unable to do its work.
WATCHED_SWEEPS = ("jobs.bamboo",)
