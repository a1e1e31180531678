"""Tables of the monitor's own; each area has its models with it."""

from monitor.jobmodels import FacetCount, FacetShelf, SavedView
from monitor.linkmodels import Link, LinkBlock

__all__ = ["FacetCount", "FacetShelf", "Link", "LinkBlock", "SavedView"]
