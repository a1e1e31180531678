"""Where the pages about tasks are; that of one task is in monitor/urls.py."""

from django.urls import path

from monitor.production import views

urlpatterns = [
    path("tasks/", views.tasks, name="tasks"),
    path("tasks/browser/", views.browser, name="task_browser"),
]
