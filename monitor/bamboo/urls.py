"""Where the pages about Bamboo are."""

from django.urls import path

from monitor.bamboo import views

urlpatterns = [
    path("bamboo/", views.rounds, name="bamboo"),
    path("bamboo/refused/", views.refused, name="bamboo_refused"),
    path("bamboo/brokerage/", views.brokerage, name="bamboo_brokerage"),
    path("bamboo/submissions/", views.submissions, name="bamboo_submissions"),
]
