"""The pages of the monitor, at the root of the site."""

from django.urls import include, path

from monitor import converters, joburls, views

app_name = "monitor"
converters.register()

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("", include("monitor.accounts.urls")),
    path("", include("monitor.deeds.urls")),
    path("alerts/", include("monitor.alerts.urls")),
    path("jobs/", views.jobs, name="jobs"),
    *joburls.urlpatterns,
    path("jobs/<number:panda_id>/", views.job, name="job"),
    path("jobs/<number:panda_id>/log", views.job_log, name="job_log"),
    path("what-if/", include("monitor.whatif.urls")),
    path("sites/<str:name>/", views.site, name="site"),
    path("tasks/<number:task_id>/", views.task, name="task"),
    path("", include("monitor.errors.urls")),
    path("", include("monitor.nodes.urls")),
    path("", include("monitor.help.urls")),
    path("", include("monitor.operations.urls")),
    path("", include("monitor.production.urls")),
    path("", include("monitor.people.urls")),
    path("", include("monitor.grid.urls")),
    path("", include("monitor.logger.urls")),
    path("", include("monitor.data.urls")),
    path("", include("monitor.ddm.urls")),
    path("", include("monitor.catalogue.urls")),
    path("", include("monitor.storage.urls")),
    path("", include("monitor.bamboo.urls")),
    path("", include("monitor.asking.urls")),
    path("", include("monitor.search.urls")),
    path("", include("monitor.shares.urls")),
    path("plots/", include("monitor.plots.urls")),
]
