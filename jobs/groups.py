"""The groups that every installation has, made and kept whole after each migration.

- production managers: submit production jobs, at any priority, make tags, and mend what Bamboo
  refused in prodDB;
- shifters: look at everything in the admin, change nothing;
- operators: what shifters may, and set sites and clouds offline and online, kill, try and broker
  again any job, steer any task, ban nodes and lift bans, announce downtimes, try failed transfers
  again, have datasets brought to a storage element.

Missing permissions are added after each migration, so that shifters see new tables too; what was
given beyond is never taken away. Who should have less, belongs into a group of another name. A
group lets nobody into the admin: that is the user's `is_staff`.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

PRODUCTION_MANAGERS = "production managers"
SHIFTERS = "shifters"
OPERATORS = "operators"

OURS = ("base", "brokerage", "datasets", "jobs", "monitor", "proddb")
VIEW_ALL = Q(content_type__app_label__in=OURS, codename__startswith="view_")


def _named(app: str, *codenames: str) -> Q:
    return Q(content_type__app_label=app, codename__in=codenames)


GROUPS = {
    PRODUCTION_MANAGERS: _named("jobs", "submit_production", "add_tag", "delete_tag")
    | Q(content_type__app_label="proddb", codename__startswith="view_")
    | _named("proddb", "change_taskrequest", "change_jobdefinition"),
    SHIFTERS: VIEW_ALL,
    OPERATORS: VIEW_ALL
    | _named("brokerage", "set_site_status", "set_cloud_status")
    | _named("brokerage", "add_bannednode", "delete_bannednode")
    | _named("brokerage", "add_downtime", "change_downtime", "delete_downtime")
    | _named("datasets", "add_transfer", "add_subscription")
    | _named("jobs", "kill_any_job", "retry_any_job", "manage_any_task"),
}


def sync_groups() -> None:
    """Make the groups, and give each the permissions that it lacks."""
    for name, wanted in GROUPS.items():
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(wanted))


def sync_after_migrate(**_: Any) -> None:
    """Signal handler. Permissions are made first: Django does so after our turn."""
    for label in OURS:
        create_permissions(apps.get_app_config(label), verbosity=0)
    sync_groups()
