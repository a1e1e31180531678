"""Where the pages about users and usage are."""

from django.urls import path

from monitor.people import views

urlpatterns = [
    path("users/", views.users, name="users"),
    path("usage/", views.usage, name="usage"),
    path("usage/daily/", views.daily_usage, name="daily_usage"),
    path("users/<path:name>/", views.user, name="user"),
]
