"""The grid of one round: what each site has left to give, and what it said of which jobs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from .filters import refusals
from .needs import CloudRules, Limits, Needs, Offer, Rules
from .verdicts import Verdict
from .weights import weigh

# Kinds of jobs whose verdicts are remembered. 200 sites take 100 kB a kind.
REMEMBERED = 64
UNHEARD = Verdict(site="", accepted=False, reason="not asked yet")


@dataclass(kw_only=True)
class _Heard:
    """What the candidates said of one kind of job. The lists go together, by name of the site."""

    names: list[str]
    offers: list[Offer | None]  # as they were when they were judged
    verdicts: list[Verdict]


class Grid:
    """All sites of a round, asked for bunch after bunch.

    A verdict depends on what it is made of and on nothing else: the needs, the offer, the rules.
    So a site is asked once for bunches that need the same, and again when its offer has changed.
    ``offers`` come in any order, each name once; ``clouds`` go by name.
    """

    def __init__(
        self, *, offers: Iterable[Offer], clouds: Mapping[str, CloudRules], limits: Limits
    ) -> None:
        given = sorted(offers, key=lambda offer: offer.name)
        self._held = {offer.name: offer.held_files for offer in given if offer.held_files}
        self.offers = {o.name: replace(o, held_files=0) if o.held_files else o for o in given}
        self.limits = limits
        self._rules = {offer.name: _rules_of(offer, clouds, limits) for offer in given}
        self._heard: dict[Needs, _Heard] = {}

    def took(self, site: str, n_jobs: int) -> None:
        """Count jobs as assigned to their site at once: the next bunch meets a longer queue."""
        self.offers[site] = self.offers[site].taking(n_jobs)

    def places(self) -> Iterator[tuple[Offer, Rules]]:
        """Every site, whether a candidate or not."""
        return ((offer, self._rules[name]) for name, offer in self.offers.items())

    def verdicts(self, needs: Needs, held: Mapping[str, int] | None = None) -> list[Verdict]:
        """What each candidate says of the bunch, by name.

        ``held``: by site, how many of the bunch's input files it holds; None: as the offers say.
        """
        each = needs.of_each
        heard = self._heard_of(each)
        for number, name in enumerate(heard.names):
            offer = self.offers[name]
            if heard.offers[number] is not offer:
                heard.offers[number] = offer
                heard.verdicts[number] = judge(each, offer, self._rules[name])
        held = self._held if held is None else held
        # Without inputs to look for, a stray count of files must not decide anything.
        if not held or not needs.total_input_files:
            return list(heard.verdicts)
        return [
            v._replace(held_files=held[v.site]) if v.site in held else v for v in heard.verdicts
        ]

    def _heard_of(self, each: Needs) -> _Heard:
        """The latest kinds are remembered: a round may meet thousands."""
        heard = self._heard.pop(each, None)
        if heard is None:
            names = [name for name, offer in self.offers.items() if _is_candidate(each, offer)]
            heard = _Heard(names=names, offers=[None] * len(names), verdicts=[UNHEARD] * len(names))
        self._heard[each] = heard
        if len(self._heard) > REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return heard


def judge(needs: Needs, offer: Offer, rules: Rules) -> Verdict:
    """What one site says of each job of a bunch (``Needs.of_each``)."""
    refusing = refusals(needs, offer, rules)
    if not refusing:
        weight, sum_in_words = weigh(needs, offer, rules)
        return Verdict(
            site=offer.name,
            accepted=True,
            reason="can take it",
            weight=weight,
            details=(sum_in_words,),
        )
    return Verdict(
        site=offer.name,
        accepted=False,
        rule=refusing[0][0],
        reason=refusing[0][1],
        details=tuple(sentence for _, sentence in refusing[1:]),
    )


def _rules_of(offer: Offer, clouds: Mapping[str, CloudRules], limits: Limits) -> Rules:
    unknown = CloudRules(name=offer.cloud, status="unknown")
    return Rules(cloud=clouds.get(offer.cloud, unknown), limits=limits)


def _is_candidate(needs: Needs, offer: Offer) -> bool:
    if needs.fixed and offer.name != needs.site:
        return False
    return not needs.cloud or offer.cloud == needs.cloud
