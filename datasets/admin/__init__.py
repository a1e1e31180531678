"""Admin pages of storage elements, datasets, files, replicas and transfers."""

from datasets.admin import catalogue, storage, transfers

__all__ = ["catalogue", "storage", "transfers"]
