"""The pages around jobs, below `jobs/`."""

from django.urls import path

from monitor import jobviews

urlpatterns = [
    path("jobs/facets", jobviews.job_facets, name="job_facets"),
    path("jobs/act", jobviews.ask_to_act, name="ask_to_act"),
    path("jobs/act/do", jobviews.act, name="act"),
    path("jobs/views/", jobviews.saved_views, name="views"),
    path("jobs/views/save", jobviews.save_view, name="save_view"),
    path("jobs/views/<int:pk>/", jobviews.saved_view, name="view"),
    path("jobs/views/<int:pk>/delete", jobviews.delete_view, name="delete_view"),
]
