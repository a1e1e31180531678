"""The addresses of the plots, below `plots/`."""

from django.urls import path

from monitor.plots import views

urlpatterns = [
    path("", views.plots, name="plots"),
    path("data", views.plot_data, name="plot_data"),
    path("dwell/", views.dwell, name="dwell"),
]
