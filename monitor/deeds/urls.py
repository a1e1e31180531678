"""The page of deeds."""

from django.urls import path

from monitor.deeds import views

urlpatterns = [path("deeds/", views.deeds, name="deeds")]
