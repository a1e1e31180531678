"""Where the pages of storage elements are."""

from django.urls import path

from monitor.storage import views

urlpatterns = [path("storage/<str:name>/", views.storage, name="storage")]
