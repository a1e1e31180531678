"""Paths below /rest/v1/."""

from django.urls import path, register_converter

from jobs.api import content, data, ddm, me, pilot, report, subscriptions, tags, tasks, views
from jobs.api.data_names import AnyText

register_converter(AnyText, "anytext")

app_name = "rest"
urlpatterns = [
    path("pilot/claim", pilot.ClaimView.as_view(), name="claim"),
    path("pilot/report", report.ReportView.as_view(), name="report"),
    path("pilot/reports", report.ReportsView.as_view(), name="reports"),
    path("ddm/callbacks", ddm.CallbacksView.as_view(), name="ddm_callbacks"),
    path("me", me.MeView.as_view(), name="me"),
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
    path("tags", tags.TagsView.as_view(), name="tags"),
    path("tags/<anytext:name>", tags.TagView.as_view(), name="tag"),
    path("datasets", data.DatasetsView.as_view(), name="datasets"),
    path("datasets/<anytext:name>/files", data.DatasetFilesView.as_view(), name="dataset_files"),
    path("datasets/<anytext:name>", data.DatasetView.as_view(), name="dataset"),
    path(
        "files/<anytext:scope>/<anytext:lfn>/content", content.ContentView.as_view(), name="content"
    ),
    path("files/<anytext:scope>/<anytext:lfn>", data.FileView.as_view(), name="file"),
    path("subscriptions", subscriptions.SubscriptionsView.as_view(), name="subscriptions"),
    path(
        "subscriptions/<int:number>",
        subscriptions.SubscriptionView.as_view(),
        name="subscription",
    ),
    path(
        "subscriptions/<int:number>/cancel",
        subscriptions.CancelView.as_view(),
        name="subscription_cancel",
    ),
    path(
        "subscriptions/<int:number>/priority",
        subscriptions.PriorityView.as_view(),
        name="subscription_priority",
    ),
]
