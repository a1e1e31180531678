"""How much a site that may take the bunch is wanted: a number, small is good.

It is the queue before the pilots, in the time that the site's nodes need to work it off:
(assigned + activated + those of the bunch that would wait) / pilots / (running jobs per node that
reports on one). Of a bunch those wait that are more than all of the site's pilots take at once.
"""

from math import ceil

from .needs import Needs, Offer, Rules, plain

# A cloud whose own factor is too small to make sense is given the default one.
LEAST_TIER1_FACTOR = 0.01
DEFAULT_TIER1_FACTOR = 2.0


def weigh(needs: Needs, offer: Offer, rules: Rules) -> tuple[float, str]:
    """The weight (finite, >= 0, small is good), and its arithmetic in words."""
    queue = offer.assigned + offer.activated
    # Only a site fixed by the submitter comes here without pilots; count one, as if it had begun.
    n_pilots = max(offer.pilots_recent, 1)
    per_node = jobs_per_node(offer)
    factor = tier1_factor(needs, offer, rules)
    over = max(needs.n_jobs - ceil(n_pilots * per_node), 0)
    value = (queue + over) / n_pilots / per_node / factor
    more = f" + {over} of {needs.n_jobs} more than its pilots take at once" if over else ""
    words = (
        f"({offer.assigned} assigned + {offer.activated} activated{more})"
        f" / {n_pilots} pilot{'' if n_pilots == 1 else 's'}"
        f" / {plain(per_node)} running per node"
    )
    if factor != 1.0:
        words += f" / {plain(factor)} (Tier-1, {needs.input_files} input files a job)"
    return value, f"{words} = {plain(value)}"


def jobs_per_node(offer: Offer) -> float:
    """Running jobs per node that reports on one; 1 when one of the two is not known yet."""
    if offer.running <= 0 or offer.updating_nodes <= 0:
        return 1.0
    return offer.running / offer.updating_nodes


def tier1_factor(needs: Needs, offer: Offer, rules: Rules) -> float:
    """What the Tier-1's weight is divided by for jobs with many inputs: the files are there."""
    many = needs.input_files > rules.limits.t1_locality_files
    if not many or not rules.is_tier1(offer):
        return 1.0
    factor = rules.cloud.weight
    return factor if factor >= LEAST_TIER1_FACTOR else DEFAULT_TIER1_FACTOR
