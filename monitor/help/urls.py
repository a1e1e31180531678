"""Their addresses."""

from django.urls import path

from monitor.help import views

urlpatterns = [
    path("help/", views.index, name="help"),
    path("help/<slug:name>/", views.document, name="help_page"),
]
