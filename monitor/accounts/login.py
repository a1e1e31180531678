"""The log-in page: by name and password, or where that is set by an issuer of the organisation."""

from __future__ import annotations

import logging
from typing import Any

import requests
from django.contrib.auth.views import LoginView
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from mozilla_django_oidc.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)
from rest_framework.exceptions import AuthenticationFailed

from monitor.pages import problem_page
from pandasite.base.errors import DomainError
from pandasite.base.problems import Problem, problem_of
from pandasite.base.rate import TooOften
from pandasite.identity import login as issuing

log = logging.getLogger(__name__)


class LoginPage(LoginView):
    """The page and its form."""

    template_name = "monitor/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        issuer = issuing.login_issuer()
        title = issuer.login.title if issuer and issuer.login else ""
        return super().get_context_data(**kwargs) | {"issuer_title": title}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """429 after too many wrong passwords, on the same page."""
        try:
            return super().post(request, *args, **kwargs)
        except TooOften as error:
            form = self.get_form_class()(request)  # empty: nothing is tried again by itself
            wait = error.extra["retry_after"]
            answer = self.render_to_response(self.get_context_data(form=form, wait=wait))
            answer.status_code = 429
            answer.headers["Retry-After"] = str(wait)
            return answer


class IssuerRequest(OIDCAuthenticationRequestView):
    """Sends the visitor to the issuer, with state, nonce and PKCE challenge of this session."""

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return issuing.setting(attr, *args)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if issuing.login_issuer() is None:
            raise Http404
        answer: HttpResponseBase = super().get(request)
        return answer


class IssuerCallback(OIDCAuthenticationCallbackView):
    """Where the issuer sends the visitor back to."""

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return issuing.setting(attr, *args)

    @property
    def failure_url(self) -> str:
        return reverse("monitor:login")

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if issuing.login_issuer() is None:
            raise Http404
        try:
            answer: HttpResponseBase = super().get(request)
        except DomainError as error:
            return problem_page(request, problem_of(error))
        except (AuthenticationFailed, SuspiciousOperation, requests.RequestException) as error:
            log.warning("issuer_login_failed", extra={"error": type(error).__name__})
            words = "the log-in did not work: begin again, and tell an administrator if it stays so"
            return problem_page(request, Problem(status=403, code="login_failed", message=words))
        return answer
