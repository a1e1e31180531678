"""Where the page of shares is."""

from django.urls import path

from monitor.shares import views

urlpatterns = [path("shares/", views.shares, name="shares")]
