"""The choice of a site for one bunch of jobs: ask the filters, weigh, rank, and say why."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .filters import job_type, lacks_releases, refusals, vo
from .needs import CloudRules, Limits, Needs, Offer, Rules
from .ranking import rank
from .verdicts import Choice, Verdict
from .weights import weigh


def choose(
    *,
    needs: Needs,
    offers: Iterable[Offer],
    clouds: Mapping[str, CloudRules],
    limits: Limits,
) -> Choice:
    """Choose the site of one bunch.

    ``offers`` are all sites of the grid, in any order, each name once; ``clouds`` goes by name.

    1. Candidates: the site fixed by the submitter, or the sites of the cloud, or all.
    2. Every filter is asked at every candidate; each refusal is kept as a sentence.
    3. The sites that may take the bunch are weighed (small is good).
    4. The best two stay, the second only while its weight is at most twice the first's.
    5. Of these the one that holds most of the bunch's files wins, else the smaller weight.

    Nobody left: no site, and the reasons. Ties end by name, so that the same facts always give
    the same choice.
    """
    grid = [(offer, _rules_of(offer, clouds, limits)) for offer in offers]
    judged = [_judge(needs, *place) for place in grid if _is_candidate(needs, place[0])]
    accepted = [verdict for verdict in judged if verdict.accepted]
    refused = sorted((v for v in judged if not v.accepted), key=lambda verdict: verdict.site)
    if accepted:
        ranked = rank(accepted, needs=needs, limits=limits)
        verdicts = (*ranked, *refused)
        return Choice(site=ranked[0].site, reason=ranked[0].reason, verdicts=verdicts)
    return Choice(
        site=None,
        reason=_nobody(needs, refused),
        verdicts=tuple(refused),
        release_nowhere=_release_nowhere(needs, grid),
    )


def _rules_of(offer: Offer, clouds: Mapping[str, CloudRules], limits: Limits) -> Rules:
    unknown = CloudRules(name=offer.cloud, status="unknown")
    return Rules(cloud=clouds.get(offer.cloud, unknown), limits=limits)


def _is_candidate(needs: Needs, offer: Offer) -> bool:
    if needs.fixed and offer.name != needs.site:
        return False
    return not needs.cloud or offer.cloud == needs.cloud


def _judge(needs: Needs, offer: Offer, rules: Rules) -> Verdict:
    # Without inputs to look for, a stray count of files must not decide anything.
    held = offer.held_files if needs.total_input_files else 0
    refusing = refusals(needs, offer, rules)
    if not refusing:
        weight, sum_in_words = weigh(needs, offer, rules)
        return Verdict(
            site=offer.name,
            accepted=True,
            reason="can take it",
            weight=weight,
            held_files=held,
            details=(sum_in_words,),
        )
    return Verdict(
        site=offer.name,
        accepted=False,
        rule=refusing[0][0],
        reason=refusing[0][1],
        held_files=held,
        details=tuple(sentence for _, sentence in refusing[1:]),
    )


def _nobody(needs: Needs, refused: Sequence[Verdict]) -> str:
    """The sentence of a choice without a site."""
    where = f" in cloud {needs.cloud}" if needs.cloud else ""
    if needs.fixed:
        refusal = refused[0].reason if refused else f"there is no such site{where}"
        return f"site {needs.site}, fixed by the submitter: {refusal}"
    if not refused:
        return f"there is no site{where}"
    rules = Counter(verdict.rule for verdict in refused)
    counts = ", ".join(
        f"{rule} {n}" for rule, n in sorted(rules.items(), key=lambda r: (-r[1], r[0]))
    )
    return f"none of {len(refused)} sites{where} can take it (refused by {counts})"


def _release_nowhere(needs: Needs, grid: Sequence[tuple[Offer, Rules]]) -> bool:
    """Whether no site of the whole grid that serves such jobs has the release.

    Asked of every cloud and whatever a site's status: a job fails for good by this, so a release
    that is anywhere, even at a site that is off today, is reason enough to wait. So is one that is
    installed and not validated yet, for reprocessing.
    """
    places = [place for place in grid if not job_type(needs, *place) and not vo(needs, *place)]
    return bool(places) and all(lacks_releases(needs, *place) for place in places)
