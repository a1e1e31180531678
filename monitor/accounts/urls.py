"""Where people log in and out, and where their tokens are."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from monitor.accounts import login, sandboxes, tokens

urlpatterns = [
    # Not the admin's: that one takes only those who may work there.
    path("login/", login.LoginPage.as_view(), name="login"),
    path("login/issuer/", login.IssuerRequest.as_view(), name="issuer_login"),
    path("login/issuer/callback/", login.IssuerCallback.as_view(), name="issuer_callback"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("sandboxes/", sandboxes.sandboxes, name="sandboxes"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/new/", tokens.make, name="token_make"),
    path("tokens/revoke/", tokens.revoke, name="token_revoke"),
]
