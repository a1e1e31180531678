"""Where the pages about channels, physics data and blocks are."""

from django.urls import path

from monitor.data import views

urlpatterns = [
    path("mover/", views.mover, name="mover"),
    path("physics/", views.physics, name="physics"),
    path("blocks/", views.blocks, name="blocks"),
]
