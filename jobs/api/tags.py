"""Addresses of tags: list, look at, and make. A tag never changes; nobody removes one here."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers as s
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import tags
from jobs.api.answers import documented
from jobs.api.views import PersonView, person_of
from jobs.models import Tag
from jobs.tasks_engine.deeds import REASON_MAX
from pandasite.base import serializers as strict
from pandasite.base.clock import database_now
from pandasite.base.errors import NotThere
from pandasite.base.params import Params

LIMIT_MAX = 1000
KNOWN = ("name", "transformation", "before", "limit", "format")
FACTS = ("name", *tags.FACTS, "description")


class TagAnswer(s.Serializer[Any]):
    """A tag. What is empty, each request says itself."""

    tag_id = s.IntegerField()
    name = s.CharField()
    transformation = s.CharField()
    atlas_release = s.CharField(allow_blank=True)
    cmt_config = s.CharField(allow_blank=True)
    homepackage = s.CharField(allow_blank=True)
    job_parameters = s.CharField(allow_blank=True)
    description = s.CharField(allow_blank=True)
    made_by = s.CharField()
    created_at = s.DateTimeField()


class TagsAnswer(s.Serializer[Any]):
    """A page, newest first; `before` continues it, null at its end."""

    tags = TagAnswer(many=True)
    before = s.IntegerField(allow_null=True)


class NewTagBody(tags.TagBody):
    """A new tag, and why it is made."""

    reason = strict.StrictCharField(max_length=REASON_MAX)


FILTERS = (
    OpenApiParameter("name", OpenApiTypes.STR, description="how its name begins"),
    OpenApiParameter("transformation", OpenApiTypes.STR, description="the whole name"),
    OpenApiParameter("before", {"type": "integer", "minimum": 1}, description="a tag_id"),
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}),
)


class TagsView(PersonView):
    """New tags, and the list."""

    @documented(
        operation_id="tags_create",
        request=NewTagBody,
        answers={201: TagAnswer, 200: TagAnswer},
        problems=(400, 409, 411, 413, 415),
    )
    def post(self, request: Request) -> Response:
        """Make a tag: 201, or 200 when it was there before with the same facts.

        It takes the permission `jobs.add_tag`. A tag never changes: 409 when the name has others.
        """
        said = dict(strict.validated(NewTagBody, request.data))
        now, reason = database_now(), said.pop("reason")
        made = tags.make(said, user=person_of(request), reason=reason, now=now)
        return Response(tag_json(made), status=201 if made.created_at == now else 200)

    @documented(
        operation_id="tags_list",
        answers={200: TagsAnswer},
        problems=(400, 422),
        parameters=list(FILTERS),
    )
    def get(self, request: Request) -> Response:
        """Tags, newest first: filters name (its beginning), transformation."""
        return Response(listed(request.query_params))


class TagView(PersonView):
    """One tag."""

    @documented(operation_id="tags_retrieve", answers={200: TagAnswer}, problems=(400, 404))
    def get(self, request: Request, name: str) -> Response:
        """What the tag says; 404: there is none of that name."""
        return Response(tag_json(the_tag(name)))


def the_tag(name: str) -> Tag:
    """The tag of that name; NotThere when there is none, or it is no name of one."""
    try:
        same = Tag.objects.filter(name=tags.TagNameField().run_validation(name)).first()
    except ValidationError:
        same = None
    if same is None:
        raise NotThere(f"there is no tag {name[:64]}")
    return same


def listed(given: QueryDict) -> dict[str, Any]:
    """A page of tags; BadInput names the parameter, the value and the range."""
    params = Params(given, known=KNOWN, keep_empty=True)
    found = Tag.objects.order_by("-pk")
    if name := params.text("name", longest=64):
        found = found.filter(name__startswith=name)
    if transformation := params.text("transformation"):
        found = found.filter(transformation=transformation)
    if (before := params.number("before", low=1, high=2**63 - 1)) is not None:
        found = found.filter(pk__lt=before)
    limit = params.number("limit", low=1, high=LIMIT_MAX) or 100
    page = list(found[: limit + 1])
    shown = page[:limit]
    return {
        "tags": [tag_json(tag) for tag in shown],
        "before": shown[-1].pk if len(page) > limit else None,
    }


def tag_json(tag: Tag) -> dict[str, Any]:
    """What the tag says, who made it, and when."""
    facts = {name: getattr(tag, name) for name in FACTS}
    return {"tag_id": tag.pk, **facts, "made_by": tag.made_by, "created_at": tag.created_at}
