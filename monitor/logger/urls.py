"""Where the log is."""

from django.urls import path

from monitor.logger import views

urlpatterns = [path("logger/", views.logger, name="logger")]
