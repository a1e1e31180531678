"""Paths below /rest/v1/."""

from django.urls import path

from jobs.api import pilot, report, tasks, views

app_name = "rest"
urlpatterns = [
    path("pilot/claim", pilot.ClaimView.as_view(), name="claim"),
    path("pilot/report", report.ReportView.as_view(), name="report"),
    path("pilot/reports", report.ReportsView.as_view(), name="reports"),
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs/kill", views.KillView.as_view(), name="kill"),
    path("jobs/<int:panda_id>", views.JobView.as_view(), name="job"),
    path("tasks", tasks.TasksView.as_view(), name="tasks"),
    path("tasks/<int:task_id>", tasks.TaskView.as_view(), name="task"),
    path("tasks/<int:task_id>/kill", tasks.KillTaskView.as_view(), name="task_kill"),
    path("tasks/<int:task_id>/finish", tasks.FinishTaskView.as_view(), name="task_finish"),
    path("tasks/<int:task_id>/retry", tasks.RetryTaskView.as_view(), name="task_retry"),
    path("tasks/<int:task_id>/pause", tasks.PauseTaskView.as_view(), name="task_pause"),
    path("tasks/<int:task_id>/resume", tasks.ResumeTaskView.as_view(), name="task_resume"),
    path("tasks/<int:task_id>/priority", tasks.PriorityTaskView.as_view(), name="task_priority"),
]
