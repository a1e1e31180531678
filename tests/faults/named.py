"""The product's Celery application, whose beat writes down its process number.

Beat and the pool process are forks of the same worker: nothing else tells them apart.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery.signals import beat_embedded_init
from django.conf import settings

from pandasite.celery import app

__all__ = ["app"]
NAME = "beat.pid"


@beat_embedded_init.connect
def _write_down(**_: Any) -> None:
    draft = Path(settings.PANDASITE_HOME.path, f"{NAME}.draft")
    draft.write_text(str(os.getpid()), encoding="ascii")
    draft.replace(draft.with_name(NAME))
