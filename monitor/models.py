"""Tables of the monitor's own; each area has its models with it."""

from monitor.jobmodels import FacetCount, FacetShelf, SavedView

__all__ = ["FacetCount", "FacetShelf", "SavedView"]
