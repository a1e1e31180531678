"""The product's Celery application without its limit on how many workers a transfer may cost."""

from __future__ import annotations

import django

from pandasite.celery import app

django.setup()

from datasets import services  # noqa: E402

__all__ = ["app"]
assert services.WORKERS_MAX
services.WORKERS_MAX = 10**6
