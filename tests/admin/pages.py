"""Walking through the admin as a user does: lists, forms, actions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from jobs.models import AnyJob, AnyJobEvent, AnyJobFile
from pandasite.base.models import AuditLine


def staff(name: str, *, group: str = "", permissions: Iterable[str] = ()) -> Any:
    """A user who may enter the admin, with what the group and the permissions allow."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    if group:
        user.groups.add(Group.objects.get(name=group))
    user.user_permissions.add(*Permission.objects.filter(codename__in=list(permissions)))
    return user


def logged_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(model: type[Model] | Model, page: str, *args: Any) -> str:
    """Of a page of the model: `changelist`, `add`, `change`, `delete`, `import`, `export`.

    Jobs, live or ended, have theirs together.
    """
    shown = {AnyJob.live: AnyJob, AnyJobEvent.live: AnyJobEvent, AnyJobFile.live: AnyJobFile}
    meta = shown.get(model._meta.model, model)._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def act(client: Client, action: str, *rows: Model, **fields: Any) -> Any:
    """The first page of an action; with `fields` its answered form, followed to the end."""
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    answered = {"deed": "yes"} | fields if fields else {"index": "0"}
    return client.post(address(rows[0], "changelist"), chosen | answered, follow=True)


def text(response: Any) -> str:
    """What a reader sees of the page."""
    page = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def the_audit() -> tuple[str, str, str]:
    """The one line there is: who, what and why."""
    line = AuditLine.objects.get()
    return line.actor_name, line.action, line.reason
