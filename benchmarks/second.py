"""The settings of a second web server, beside the first, over another state of the database."""

from __future__ import annotations

import os

from pandasite.settings import *  # noqa: F403
from pandasite.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
