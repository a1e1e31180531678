"""The addresses of errors."""

from django.urls import path

from monitor.errors import acts, views

urlpatterns = [
    path("errors/", views.summary, name="errors"),
    path("errors/messages/", views.messages, name="errors_messages"),
    path("errors/messages/<slug:key>/", views.cluster, name="errors_cluster"),
    path("errors/retry/", acts.retry, name="errors_retry"),
    path("errors/site-status/", acts.site_status, name="errors_site_status"),
    path("errors/matrix/", views.matrix, name="errors_matrix"),
    path("errors/sites/", views.sites, name="errors_sites"),
    path("errors/grids/", views.grids, name="errors_grids"),
    path("errors/grids/<slug:name>/", views.grid, name="errors_grid"),
]
