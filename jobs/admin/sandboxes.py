"""Sandboxes: who keeps what. One that is deleted here leaves a file, which housekeeping clears."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from jobs.models import Sandbox
from pandasite.base.admin_kit import OurAdmin


@admin.register(Sandbox)
class SandboxAdmin(OurAdmin):
    """Looked at, and taken away."""

    list_display = ["name", "owner", "size", "created_at", "last_used_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__username"]
    readonly_fields = ["name", "owner", "size", "crc32", "sha256", "created_at", "last_used_at"]
    ordering = ["-last_used_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
