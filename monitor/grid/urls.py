"""Where the pages about pilots, factories and sites are; that of one site is in monitor/urls.py."""

from django.urls import path

from monitor.grid import views

urlpatterns = [
    path("sites/", views.sites, name="sites"),
    path("pilots/", views.pilots, name="pilots"),
    path("pilots/answers/", views.pilot_answers, name="pilot_answers"),
    path("pilots/answers/data", views.pilot_answers_data, name="pilot_answers_data"),
    path("pilots/<str:site>/<path:pilot_id>/", views.pilot, name="pilot"),
    path("autopilot/", views.autopilot, name="autopilot"),
]
