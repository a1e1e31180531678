"""The pages of the monitor, at the root of the site."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path, register_converter

from monitor import views

app_name = "monitor"


class PandaID:
    """A number that fits the key's column; anything else is no address of ours."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(PandaID, "number")

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    # Not the admin's: that one takes only those who may work there.
    path("login/", LoginView.as_view(template_name="monitor/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<number:panda_id>/", views.job, name="job"),
    path("jobs/<number:panda_id>/log", views.job_log, name="job_log"),
    path("sites/<str:name>/", views.site, name="site"),
    path("tasks/<number:task_id>/", views.task, name="task"),
    path("datasets/<path:name>/", views.dataset, name="dataset"),
    path("", include("monitor.search.urls")),
    path("plots/", include("monitor.plots.urls")),
]
