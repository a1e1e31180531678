"""Tables of the monitor's own; each area has its models with it."""

from monitor.data.models import PhysicsTally
from monitor.logger.models import LogEvent

__all__ = ["LogEvent", "PhysicsTally"]
