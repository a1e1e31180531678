"""The OpenAPI document and the page to read it: open to all, and strict about what is asked."""

from __future__ import annotations

import functools
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from pandasite.base.params import Params


@functools.cache
def document() -> dict[str, Any]:
    """The document. It is of the code alone, so one process makes it once."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


class SchemaView(SpectacularAPIView):
    """drf-spectacular's view without its `version` and `lang`: we have one of each.

    Its own puts the version into a header as it came, and keeps every language that it was asked
    for in memory.
    """

    schema = None

    def get(self, request: Request) -> Response:
        """The document as YAML, or by `?format=json` as JSON."""
        Params(request.query_params, known=("format",))
        suffix = request.accepted_renderer.format
        name = f'inline; filename="pandasite.{suffix}"'
        return Response(document(), headers={"Content-Disposition": name})


class DocsView(SpectacularSwaggerSplitView):
    """The page; `?script=` is its own script."""

    schema = None

    def get(self, request: Request) -> Response:
        """Page or script."""
        Params(request.query_params, known=("script",))
        answer: Response = super().get(request)
        return answer
