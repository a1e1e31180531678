"""Admin pages of storage elements, datasets, files, replicas and transfers."""

from datasets.admin import catalogue, ddm, storage, transfers

__all__ = ["catalogue", "ddm", "storage", "transfers"]
