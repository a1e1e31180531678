"""Paths below /rest/v1/."""

from django.urls import path

from jobs.api import ddm, pilot, report, views

app_name = "rest"
urlpatterns = [
    path("pilot/claim", pilot.ClaimView.as_view(), name="claim"),
    path("pilot/report", report.ReportView.as_view(), name="report"),
    path("pilot/reports", report.ReportsView.as_view(), name="reports"),
    path("ddm/callbacks", ddm.CallbacksView.as_view(), name="ddm_callbacks"),
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs/kill", views.KillView.as_view(), name="kill"),
    path("jobs/<int:panda_id>", views.JobView.as_view(), name="job"),
]
