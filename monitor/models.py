"""Tables of the monitor's own; each area has its models with it."""

from monitor.plots.models import EndedRoll, LiveRoll, SpreadRoll

__all__ = ["EndedRoll", "LiveRoll", "SpreadRoll"]
