"""What a pilot is told besides a job's own facts: its storage, its program, its sandbox."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s


class Storage(s.Serializer[Any]):
    """Where inputs lie and outputs go."""

    name = s.CharField()
    url = s.CharField()


class Program(s.Serializer[Any]):
    """A transformation that this server brings: fetched from `path` here, of `size` bytes.

    Only of jobs that have one; other programs are in the site's software area.
    """

    name = s.CharField()
    path = s.CharField()
    sha256 = s.CharField()
    size = s.IntegerField()


class SandboxToFetch(Program):
    """The archive that the job names: fetched from `path`, with `key` in the header
    `X-Sandbox-Key`.

    Null where the job names none that its owner has.
    """

    key = s.CharField()
