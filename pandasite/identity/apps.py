from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Who people and pilots are to others: issuers of tokens, certificates, roles, own sites."""

    name = "pandasite.identity"
    label = "identity"
    verbose_name = "identities"

    def ready(self) -> None:
        from pandasite.identity import refusals  # noqa: F401  (registers itself)
