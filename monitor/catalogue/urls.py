"""Where the dataset browser is. Not below `datasets/`: there, every name is that of a dataset."""

from django.urls import path

from monitor.catalogue import acts, views, wantviews

urlpatterns = [
    path("datasets/", views.datasets, name="datasets"),
    path("new-datasets/", views.datasets_new, name="datasets_new"),
    path("aborted-datasets/", views.datasets_aborted, name="datasets_aborted"),
    path("aods/", views.aods, name="aods"),
    path("datasets/<path:name>/", views.dataset, name="dataset"),
    path("files/<str:scope>/<str:lfn>/", views.file, name="file"),
    path("files/<str:scope>/<str:lfn>/image", views.image, name="file_image"),
    path("files/<str:scope>/<str:lfn>/histogram", views.histogram, name="file_histogram"),
    path("subscriptions/", wantviews.subscriptions, name="subscriptions"),
    path("open-blocks/", wantviews.open_blocks, name="open_blocks"),
    path("ddm-requests/", wantviews.requests, name="ddm_requests"),
    path("ddm-requests/new/", wantviews.request_form, name="ddm_request"),
    path("ddm-requests/new/send", acts.send, name="ddm_request_send"),
]
