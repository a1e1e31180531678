"""Where the forms are. Not below `tags/`: there, every name is that of a tag."""

from django.urls import path

from monitor.asking import tagpages, views

urlpatterns = [
    path("task-requests/new/", views.task_request, name="task_request"),
    path("task-requests/send", views.task_send, name="task_request_send"),
    path("tags/", tagpages.tag_list, name="tags"),
    path("tags/<str:name>/", tagpages.tag, name="tag"),
    path("new-tag/", tagpages.tag_new, name="tag_new"),
    path("new-tag/make", tagpages.tag_make, name="tag_make"),
    path("new-tag/remove", tagpages.tag_remove, name="tag_remove"),
]
