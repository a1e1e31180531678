"""The links of the demo's dashboard: where a collaboration has its own, the demo has our help."""

from dataclasses import dataclass

from django.db import transaction
from django.urls import reverse

from monitor.models import LinkBlock

KEPT = "calendar-lists-logbooks"  # the heading that tells where the true ones are set


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A link to a document of ours, maybe to a heading in it."""

    title: str
    document: str = ""  # empty: the list of all
    part: str = ""

    @property
    def url(self) -> str:
        """Its address on this site."""
        if not self.document:
            return reverse("monitor:help")
        page = reverse("monitor:help_page", args=[self.document])
        return page + (f"#{self.part}" if self.part else "")


BLOCKS = {
    "Shift": (
        Wanted(title="Shift guide", document="shift"),
        Wanted(title="Checklist", document="shift", part="the-checklist"),
        Wanted(title="Calendar", document="shift", part=KEPT),
        Wanted(title="Mailing list", document="shift", part=KEPT),
    ),
    "Logbooks": (
        Wanted(title="Shift logbook", document="shift", part=KEPT),
        Wanted(title="Operations logbook", document="shift", part=KEPT),
    ),
    "Task support": (
        Wanted(title="Where jobs go", document="brokerage"),
        Wanted(title="States of a job", document="states"),
        Wanted(title="Mailing list", document="shift", part=KEPT),
    ),
    "More": (
        Wanted(title="Wiki"),
        Wanted(title="Bugs", document="shift", part=KEPT),
        Wanted(title="Running the site", document="production"),
    ),
}


@transaction.atomic
def load_links() -> None:
    """Each block that is not there; what an administrator has changed stays."""
    for position, (title, links) in enumerate(BLOCKS.items()):
        block, made = LinkBlock.objects.get_or_create(title=title, defaults={"position": position})
        for number, link in enumerate(links if made else ()):
            block.links.create(title=link.title, url=link.url, position=number)
