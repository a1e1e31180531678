"""The WSGI entry point, which pandasite/launcher/web.py serves."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pandasite.settings")
django = get_wsgi_application()

from jobs.api import lane  # noqa: E402 - Django has to be set up first


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django's, but for what pilots ask all the time (jobs/api/lane.py).

    An answer that is there as a whole goes out as one piece, head and body together: the server
    would ask for it bit by bit, and send the head on its own.
    """
    if (answer := lane.answer(environ, start_response, long_way)) is not None:
        return answer
    return long_way(environ, start_response)


def long_way(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django's answer."""
    response = django(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response
    try:
        return [response.content]
    finally:
        response.close()


# Django would load the views at the first request, which is once in each worker: before the fork
# it is once for all, and a worker that takes the place of a killed one answers at once.
_ = get_resolver().url_patterns
