"""PanDA's own addresses, as they are there: no slash at the end."""

from django.urls import path

from jobs.api.panda import auth_config, cache, queues, views

app_name = "panda"
urlpatterns = [
    path("server/panda/<str:method>", views.legacy, name="legacy"),
    path("api/v1/<str:module>/<str:method>", views.v1, name="v1"),
    path("api/latest/<str:module>/<str:method>", views.v1, name="latest"),
    path("cache/schedconfig/<str:name>.all.json", queues.queue_view, name="queue"),
    path("cache/schedconfig/schedconfig.json", queues.queues_view, name="queues"),
    path("cache/schedconfig/<str:name>.json", queues.keyed_queue_view, name="keyed_queue"),
    path("auth/<str:vo>_auth_config.json", auth_config.auth_config, name="auth_config"),
    path("cache/ddmendpoints.json", queues.storages_view, name="storages"),
    path("cache/<str:name>", cache.sandbox_view, name="sandbox"),
    path("trf/user/<str:name>", cache.program_view, name="program"),
]
