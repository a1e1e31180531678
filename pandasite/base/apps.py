from django.apps import AppConfig


class BaseConfig(AppConfig):
    name = "pandasite.base"
    label = "base"
    verbose_name = "Sweeps and audit"
