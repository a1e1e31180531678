"""Where PanDA's client learns how to log in: the device flow of the VO's issuer.

Open to all, as there: what it calls a secret is that of a program which everybody has.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe

from pandasite.base.errors import NotThere
from pandasite.base.problems import answer, problem_of


@require_safe
def auth_config(request: HttpRequest, vo: str) -> HttpResponseBase:
    """The client's settings for a VO."""
    for issuer in settings.PANDASITE_ISSUERS.values():
        device = issuer.device
        if device is not None and vo in device.vos:
            told = ("client_id", "client_secret", "audience", "oidc_config_url")
            return JsonResponse({name: getattr(device, name) for name in told})
    return answer(request, problem_of(NotThere(f"no issuer logs in the VO {vo[:32]} here")))
