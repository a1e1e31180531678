"""Which form an answer has. Apart from `views.py`: DRF imports it while it defines APIView."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation

from pandasite.base.params import refuse


class Negotiation(DefaultContentNegotiation):
    """DRF's, but a `?format=` that nobody can write is a wrong value, not a missing page."""

    def filter_renderers(self, renderers: Any, format: Any) -> list[Any]:
        """Those of this format; BadInput lists the formats that there are."""
        found = [renderer for renderer in renderers if renderer.format == format]
        if not found:
            formats = list(dict.fromkeys(renderer.format for renderer in renderers))
            words = f"one of {', '.join(formats)}"
            raise refuse("format", format, words, code="unknown_value", values=formats)
        return found
