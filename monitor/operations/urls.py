"""Their addresses."""

from django.urls import path

from monitor.operations import views

urlpatterns = [
    path("servers/", views.servers, name="servers"),
    path("clouds/", views.clouds, name="clouds"),
    path("clouds/<str:name>/", views.cloud, name="cloud"),
    path("configuration/", views.configuration, name="configuration"),
]
