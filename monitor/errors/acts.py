"""What can be done about a cluster of failures: try its jobs again, or take a site offline."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from brokerage.models import Site
from brokerage.services import set_site_status
from jobs import retry as retrying
from jobs.models import AnyJob
from monitor.errors.acting import Done, Order, action, numbers_of
from monitor.words import plural
from pandasite.base.params import refuse


@action("jobs.retry_any_job", fields=("jobs", "about"))
def retry(order: Order) -> Done:
    """Try these failed jobs again."""
    panda_ids = numbers_of(order.params, "jobs", most=retrying.MOST)
    about = order.params.text("about", longest=200)
    foreign = _foreign(order, panda_ids)
    own = [pk for pk in panda_ids if pk not in foreign]
    result = retrying.retry(own, user=order.user, reason=order.reason, now=order.now, subject=about)
    refused = result.refused | dict.fromkeys(foreign, "it is not at a site of yours")
    return Done(
        title=f"{plural(len(result.successors), 'job')} of {len(panda_ids)} tried again",
        lines=[
            (f"job {old} is tried again as job {new}", reverse("monitor:job", args=[new]))
            for old, new in result.successors.items()
        ],
        refused=[
            (f"job {old}: {why}", reverse("monitor:job", args=[old]))
            for old, why in sorted(refused.items())
        ],
    )


def _foreign(order: Order, panda_ids: Sequence[int]) -> set[int]:
    """The jobs at sites that are not those of a site admin; of who may everywhere, none."""
    if order.user.has_perm(order.permission):
        return set()
    jobs = AnyJob.objects.filter(pk__in=panda_ids).only("computing_site_id")
    return {job.pk for job in jobs if not order.may(job)}


@action("brokerage.set_site_status", fields=("site", "status"))
def site_status(order: Order) -> Done:
    """Take a site offline, or out of brokerage."""
    name = order.params.text("site")
    site = Site.objects.filter(name=name).first()
    if site is None:
        raise refuse("site", name, "the name of a site that there is", code="unknown_site")
    order.must_be_own(site)
    status = order.params.choice("status", Site.Status.values)
    change = set_site_status(
        site, status, author=order.user.get_username(), reason=order.reason, now=order.now
    )
    page = reverse("monitor:site", args=[site.name])
    return Done(
        title=f"Site {site.name} is {status} now", lines=[(f"it was {change.from_status}", page)]
    )
