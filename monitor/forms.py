"""What views that change something share: who may, one transaction, errors in the frame."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_POST

from monitor.pages import problem_page
from pandasite.base.errors import DomainError, NotAllowed
from pandasite.base.problems import Problem, problem_of
from pandasite.identity.roles import reads_only

Deed = Callable[..., HttpResponseBase]


def deed(view: Deed) -> Deed:
    """A view that changes something: POST with Django's token against forgery, of a person."""

    @require_POST
    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return for_people(view)(request, *args, **kwargs)

    return answered


def for_people(view: Deed, *, readers: bool = False) -> Deed:
    """For those who have logged in and are no pilots, with its errors in the frame.

    Who has the role of a reader only may look, and with `readers` send the form as well.
    """

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            back = request.get_full_path() if request.method == "GET" else "/"
            return redirect_to_login(back)
        try:
            if hasattr(request.user, "pilot_account"):
                raise NotAllowed("pilots do nothing here")
            if request.method == "POST" and not readers and reads_only(request.user):
                raise NotAllowed("readers change nothing", code="reads_only")
            response = view(request, *args, **kwargs)
        except DomainError as error:
            response = problem_page(request, _told(request, problem_of(error)))
        patch_cache_control(response, private=True, no_store=True)
        return response

    return answered


def _told(request: HttpRequest, problem: Problem) -> Problem:
    """What was given in a form is not in the address, where the page of a problem looks for it."""
    return problem if request.method == "GET" else replace(problem, fields=[])
