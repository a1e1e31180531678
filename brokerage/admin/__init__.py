"""Admin pages of clouds, sites and releases."""

from brokerage.admin import bans, catalogue, sites

__all__ = ["bans", "catalogue", "sites"]
