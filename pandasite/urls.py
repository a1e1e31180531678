"""The doors of the site: monitor, REST, admin. Health is answered by its middleware."""

from django.contrib import admin
from django.urls import include, path

from jobs.api.schema import DocsView, SchemaView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("rest/v1/", include("jobs.api.urls")),
    path("rest/v1/schema", SchemaView.as_view(), name="schema"),
    path("rest/v1/docs", DocsView.as_view(url_name="schema"), name="docs"),
    path("", include("jobs.api.panda.urls")),
    path("", include("monitor.urls")),
]

handler400 = "pandasite.base.problems.bad_request"
handler403 = "pandasite.base.problems.permission_denied"
handler404 = "monitor.pages.page_not_found"
handler500 = "pandasite.base.problems.server_error"
