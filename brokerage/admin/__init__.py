"""Admin pages of clouds, sites and releases."""

from brokerage.admin import bans, catalogue, downtimes, sites

__all__ = ["bans", "catalogue", "downtimes", "sites"]
