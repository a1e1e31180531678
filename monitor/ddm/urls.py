"""Where the pages of the DDM dashboard are."""

from django.urls import path

from monitor.ddm import views

urlpatterns = [
    path("ddm/", views.ddm, name="ddm"),
    path("ddm/errors/", views.errors, name="ddm_errors"),
    path("ddm/stuck/", views.stuck, name="ddm_stuck"),
    path("ddm/space/", views.space, name="ddm_space"),
    path("ddm/plot", views.plot, name="ddm_plot"),
    path("ddm/space/plot", views.space_plot, name="ddm_space_plot"),
]
