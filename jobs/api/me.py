"""Who the token belongs to, and the names that this person's requests may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from brokerage.models import VO
from jobs.api.answers import documented
from jobs.api.views import PersonView, person_of
from jobs.models import Transformation
from jobs.usual import usual_vo
from pandasite.identity.roles import groups_of

NAMES_MAX = 200  # of a kind


class MeAnswer(s.Serializer[Any]):
    """`vo` is the usual one. An empty list of `transformations`: any may be named."""

    username = s.CharField()
    groups = s.ListField(child=s.CharField())
    production = s.BooleanField()
    vo = s.CharField(allow_blank=True)
    vos = s.ListField(child=s.CharField())
    transformations = s.ListField(child=s.CharField())
    uploads = s.BooleanField()


class MeView(PersonView):
    """The caller."""

    @documented(operation_id="me", answers={200: MeAnswer})
    def get(self, request: Request) -> Response:
        """Who I am, and what I may name: what a client needs for sensible defaults."""
        user = person_of(request)
        return Response(
            {
                "username": user.get_username(),
                "groups": groups_of(user),
                "production": user.has_perm("jobs.submit_production"),
                "vo": usual_vo(user),
                "vos": _names(VO),
                "transformations": _names(Transformation),
                "uploads": bool(settings.PANDASITE_UPLOAD_STORAGE),
            }
        )


def _names(model: Any) -> list[str]:
    return list(model.objects.order_by("name").values_list("name", flat=True)[:NAMES_MAX])
