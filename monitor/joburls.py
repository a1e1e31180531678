"""The pages around jobs, below `jobs/`."""

from django.urls import path

from monitor import converters, jobparts, jobviews

converters.register()

urlpatterns = [
    path("jobs/facets", jobviews.job_facets, name="job_facets"),
    path("jobs/act", jobviews.ask_to_act, name="ask_to_act"),
    path("jobs/act/do", jobviews.act, name="act"),
    path("jobs/views/", jobviews.saved_views, name="views"),
    path("jobs/views/save", jobviews.save_view, name="save_view"),
    path("jobs/views/<int:pk>/", jobviews.saved_view, name="view"),
    path("jobs/views/<int:pk>/delete", jobviews.delete_view, name="delete_view"),
    path("jobs/<number:panda_id>/why", jobparts.why, name="job_why"),
    path("jobs/<number:panda_id>/alike", jobparts.same_error, name="job_alike"),
    path("jobs/<number:panda_id>/samples", jobparts.samples, name="job_samples"),
    path("jobs/<number:panda_id>/script", jobparts.job_script, name="job_script"),
    path("jobs/<number:panda_id>/logs", jobparts.job_logs, name="job_logs"),
]
