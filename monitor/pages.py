"""What all pages share: who may read, one snapshot, page or fragment or JSON, errors as pages."""

from __future__ import annotations

import functools
import hashlib
import http
import json
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from monitor.params import shown_value
from pandasite.base.errors import DomainError, NotAllowed
from pandasite.base.problems import Problem, ProblemResponse, answer, problem_of
from pandasite.base.problems import wants_json as for_programs
from pandasite.base.snapshot import one_snapshot

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def page(view: View[P]) -> View[P]:
    """A page of the monitor, compressed: it shows nothing secret that its length could tell."""
    return gzip_page(readable(view))


def readable(view: View[P]) -> View[P]:
    """Read only, one moment of the database, for those who may read."""

    @functools.wraps(view)
    def in_snapshot(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        with one_snapshot():
            return view(request, *args, **kwargs)

    return for_readers(in_snapshot)


def for_readers(view: View[P]) -> View[P]:
    """For those who may read, with its errors in the frame of the monitor."""

    @require_safe
    @functools.wraps(view)
    def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if refused := _refused(request):
            return refused
        try:
            return view(request, *args, **kwargs)
        except DomainError as error:
            return problem_page(request, problem_of(error))

    return answered


def wants_json(request: HttpRequest) -> bool:
    return request.GET.get("format") == "json"


def _refused(request: HttpRequest) -> HttpResponseBase | None:
    """The answer to who may not read; None when they may."""
    if request.user.is_authenticated:
        if hasattr(request.user, "pilot_account"):
            error = NotAllowed("pilots do not read pages")
            return problem_page(request, problem_of(error))
        return None
    if settings.PANDASITE_MONITOR_PUBLIC:
        return None
    if wants_json(request):
        words = "log in first; programs use a token at /rest/v1/"
        return problem_page(request, Problem(status=401, code="not_authenticated", message=words))
    return redirect_to_login(request.get_full_path())


def respond(
    request: HttpRequest,
    template: str,
    *,
    data: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    context: Mapping[str, Any],
    now: Any,
    text: str = "",
) -> HttpResponseBase:
    """The same facts as JSON (`?format=json`), as a fragment (asked by htmx) or as a page.

    `data` are the facts without `now`, or make them: as long as they stay, so does the ETag, and
    who has them gets 304. `text` is the same as text, where somebody has it already. Template
    `x.html` is a page that includes the fragment `_x.html`.
    """
    fragment = request.headers.get("HX-Request") == "true"
    form = "json" if wants_json(request) else "fragment" if fragment else "page"
    etag = _etag(text or _text(_facts(data)), form, request)
    if answer := get_conditional_response(request, etag=etag):
        return _finished(answer, etag)
    if form == "json":
        body = json.dumps({"as_of": now, **_facts(data)}, cls=DjangoJSONEncoder)
        return _finished(HttpResponse(body, content_type="application/json"), etag)
    folder, _, name = template.rpartition("/")
    chosen = f"{folder}/_{name}" if form == "fragment" else template
    facts = {**context, "now": now, "fragment": fragment}
    return _finished(render(request, chosen, facts), etag)


def _finished(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    response.headers["ETag"] = etag
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _facts(data: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    return data() if callable(data) else data


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, cls=DjangoJSONEncoder, sort_keys=True)


def _etag(text: str, form: str, request: HttpRequest) -> str:
    """Weak: the time shown on a page may be an older one."""
    key = f"{form}\n{request.get_full_path()}\n{request.user.pk}\n{text}"
    return f'W/"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`: people who mistype an address keep the way back."""
    if for_programs(request) or wants_json(request):
        return answer(request, problem_of(exception))
    return problem_page(request, problem_of(exception))


def problem_page(request: HttpRequest, problem: Problem) -> HttpResponse:
    """A problem in the frame of the monitor, or as JSON; it repeats the values that were given."""
    fields = [
        {**fault, "value": shown_value(request.GET, str(fault.get("field", "")))}
        for fault in problem.fields
    ]
    if wants_json(request) or for_programs(request):
        request_id = getattr(request, "request_id", None)
        told = Problem(
            status=problem.status,
            code=problem.code,
            message=problem.message,
            fields=fields,
            extra=problem.extra,
            headers=problem.headers,
        )
        return ProblemResponse(told, request_id=request_id)
    title = http.HTTPStatus(problem.status).phrase
    context = {"problem": problem, "fields": fields, "title": title, "path": request.path}
    response = render(request, "monitor/problem.html", context, status=problem.status)
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response
