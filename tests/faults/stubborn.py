"""The product's Celery application without its limit on how many workers a transfer may cost."""

from __future__ import annotations

from datasets import services
from pandasite.celery import app

__all__ = ["app"]
assert services.WORKERS_MAX
services.WORKERS_MAX = 10**6
