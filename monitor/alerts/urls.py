"""Alerts of one's own, below /alerts/."""

from django.urls import path

from monitor.alerts import views

urlpatterns = [
    path("", views.alerts, name="alerts"),
    path("new", views.make, name="alert_make"),
    path("remove", views.remove, name="alert_remove"),
    path("seen", views.seen, name="alerts_seen"),
]
