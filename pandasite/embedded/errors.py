"""The one error of this package."""

from django.core.exceptions import ImproperlyConfigured


class EmbeddedError(ImproperlyConfigured):
    """An embedded server cannot be made or started; the text says why and what to do."""
