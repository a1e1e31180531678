from django.apps import AppConfig


class PandasiteConfig(AppConfig):
    """The roof: commands, settings and the Celery application that the tasks register with."""

    name = "pandasite"
    label = "pandasite"

    def ready(self) -> None:
        from pandasite import celery  # noqa: F401  (shared tasks bind to this application)
