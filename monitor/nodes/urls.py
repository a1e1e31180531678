"""The addresses of nodes. Names of nodes are what pilots say: anything but a slash at the end."""

from django.urls import path

from monitor.nodes import acts, views

urlpatterns = [
    path("nodes/", views.nodes, name="nodes"),
    path("nodes/ban/", acts.ban, name="node_ban"),
    path("nodes/unban/", acts.unban, name="node_unban"),
    path("nodes/<str:site>/<path:name>/plot", views.plot, name="node_plot"),
    path("nodes/<str:site>/<path:name>/", views.node, name="node"),
]
