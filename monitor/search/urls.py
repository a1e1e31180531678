"""The address of quick search."""

from django.urls import path

from monitor.search import views

urlpatterns = [path("search", views.search, name="search")]
