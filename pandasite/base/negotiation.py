"""Which form an answer has. Apart from `views.py`: DRF imports it while it defines APIView."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation

from pandasite.base.params import refuse

ANYTHING = "*/*"


class Negotiation(DefaultContentNegotiation):
    """DRF's, but a `?format=` that nobody can write is a wrong value, not a missing page.

    Who takes anything, or asks for what is written first, gets that: as DRF would find, too, after
    taking the header apart, which is a tenth of what Python does for a heartbeat.
    """

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        """(renderer, media type). Raises NotAcceptable."""
        first, accepts = renderers[0], request.META.get("HTTP_ACCEPT", ANYTHING)
        plain = not format_suffix and not request.META.get("QUERY_STRING")
        if plain and accepts in (ANYTHING, first.media_type):
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)

    def filter_renderers(self, renderers: Any, format: Any) -> list[Any]:
        """Those of this format; BadInput lists the formats that there are."""
        found = [renderer for renderer in renderers if renderer.format == format]
        if not found:
            formats = list(dict.fromkeys(renderer.format for renderer in renderers))
            words = f"one of {', '.join(formats)}"
            raise refuse("format", format, words, code="unknown_value", values=formats)
        return found
