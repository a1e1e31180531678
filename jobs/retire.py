"""What happens to a pilot's user when its account comes and goes, mostly with its site.

A user without an account is a person to the REST interface: a pilot must not become one.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from knox.models import get_token_model

from jobs.models import PilotAccount


def retire(instance: PilotAccount, **_: Any) -> None:
    """Signal handler after an account is gone: its tokens end, its user is inactive."""
    get_token_model().objects.filter(user=instance.user_id).delete()
    User.objects.filter(pk=instance.user_id).update(is_active=False)


def enlist(instance: PilotAccount, created: bool, **_: Any) -> None:
    """Signal handler after an account is saved: a site of an old name has its user back."""
    if created:
        User.objects.filter(pk=instance.user_id).update(is_active=True)
