"""Tables of the monitor's own; each area has its models with it."""

from monitor.alerts.models import Alert, AlertNews
from monitor.catalogue.models import DataRequest
from monitor.data.models import PhysicsTally
from monitor.jobmodels import FacetCount, FacetShelf, FacetSum, SavedView
from monitor.linkmodels import Link, LinkBlock
from monitor.logger.models import LogEvent
from monitor.plots.models import EndedRoll, LiveRoll, SpreadRoll

__all__ = [
    "Alert",
    "AlertNews",
    "DataRequest",
    "EndedRoll",
    "FacetCount",
    "FacetShelf",
    "FacetSum",
    "Link",
    "LinkBlock",
    "LiveRoll",
    "LogEvent",
    "PhysicsTally",
    "SavedView",
    "SpreadRoll",
]
