"""Where the pages about tasks are; that of one task is in monitor/urls.py."""

from django.urls import path

from monitor import converters
from monitor.production import taskacts, views

converters.register()

urlpatterns = [
    path("tasks/", views.tasks, name="tasks"),
    path("tasks/<number:task_id>/act", taskacts.ask, name="task_ask"),
    path("tasks/<number:task_id>/act/do", taskacts.act, name="task_do"),
    path("tasks/browser/", views.browser, name="task_browser"),
]
