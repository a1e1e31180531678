"""What if: brokerage."""

from django.urls import path

from monitor.whatif import views

urlpatterns = [path("", views.what_if, name="what_if")]
