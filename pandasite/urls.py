"""The doors of the site: monitor, admin, REST, health."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

# Those of our modules that are there; each brings `urlpatterns`.
_modules = {"rest/v1/": "jobs.api.urls", "": "pandasite.base.health"}
_here = {where: name for where, name in _modules.items() if find_spec(name.rpartition(".")[0]) and find_spec(name)}

urlpatterns = [
    path("admin/", admin.site.urls),
    path("rest/v1/schema", SpectacularAPIView.as_view(), name="schema"),
    path("rest/v1/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    *[path(where, include(name)) for where, name in _here.items()],
]

handler400 = "pandasite.base.problems.bad_request"
handler403 = "pandasite.base.problems.permission_denied"
handler404 = "pandasite.base.problems.page_not_found"
handler500 = "pandasite.base.problems.server_error"
