"""The groups that every installation has, made and kept whole after each migration.

- readers: look at pages and over REST; who has this role and no other changes nothing, not even own
  jobs (pandasite/identity/roles.py);
- production managers: submit production jobs, at any priority, make tags, and mend what Bamboo
  refused in prodDB;
- shifters: look at everything in the admin, change nothing;
- operators: what shifters may, and set sites and clouds offline and online, kill, try and broker
  again any job, steer any task, ban nodes and lift bans, announce downtimes, try failed transfers
  again, have datasets brought to a storage element;
- site admins: look at everything; set their own sites offline and online, ban nodes, announce
  downtimes, kill and try again jobs, issue pilot tokens there. What this group has beyond looking
  counts at the sites that the admin's page "own sites" names for the user, and nowhere else;
- admins: everything of ours in the admin. Users and groups are for superusers.

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

from pandasite.identity.roles import (
    ADMINS,
    OPERATORS,
    PRODUCTION_MANAGERS,
    READERS,
    SHIFTERS,
    SITE_ADMINS,
)

__all__ = [
    "ADMINS",
    "GROUPS",
    "OPERATORS",
    "PRODUCTION_MANAGERS",
    "READERS",
    "SHIFTERS",
    "SITE_ADMINS",
]

OURS = ("base", "brokerage", "datasets", "jobs", "monitor", "proddb")
# Who is who, and the tokens: for admins alone.
WHO = ("identity", "knox")
VIEW_ALL = Q(content_type__app_label__in=OURS, codename__startswith="view_")


def _named(app: str, *codenames: str) -> Q:
    return Q(content_type__app_label=app, codename__in=codenames)


# What operators may anywhere, and site admins at their own sites.
AT_SITES = (
    _named("brokerage", "set_site_status", "add_bannednode", "delete_bannednode")
    | _named("brokerage", "add_downtime", "change_downtime", "delete_downtime")
    | _named("jobs", "kill_any_job", "retry_any_job")
)
GROUPS = {
    READERS: Q(pk__in=[]),
    PRODUCTION_MANAGERS: _named("jobs", "submit_production", "add_tag", "delete_tag")
    | Q(content_type__app_label="proddb", codename__startswith="view_")
    | _named("proddb", "change_taskrequest", "change_jobdefinition"),
    SHIFTERS: VIEW_ALL,
    OPERATORS: VIEW_ALL
    | AT_SITES
    | _named("brokerage", "set_cloud_status")
    | _named("datasets", "add_transfer", "add_subscription")
    | _named("jobs", "manage_any_task"),
    SITE_ADMINS: VIEW_ALL | AT_SITES | _named("jobs", "add_pilotaccount"),
    ADMINS: Q(content_type__app_label__in=(*OURS, *WHO)),
}


def sync_groups() -> None:
    """Make the groups, and give each the permissions that it lacks."""
    for name, wanted in GROUPS.items():
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(wanted))


def sync_after_migrate(**_: Any) -> None:
    """Signal handler. Permissions are made first: Django does so after our turn."""
    for label in (*OURS, *WHO):
        create_permissions(apps.get_app_config(label), verbosity=0)
    sync_groups()
