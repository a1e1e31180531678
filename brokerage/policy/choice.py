"""The choice of a site for one bunch of jobs: ask the filters, weigh, rank, and say why."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .filters import job_type, lacks_releases, vo
from .grid import Grid
from .needs import CloudRules, Limits, Needs, Offer
from .ranking import rank
from .verdicts import Choice, Verdict


def choose(
    *,
    needs: Needs,
    offers: Iterable[Offer],
    clouds: Mapping[str, CloudRules],
    limits: Limits,
) -> Choice:
    """``choose_from`` for one bunch alone."""
    return choose_from(Grid(offers=offers, clouds=clouds, limits=limits), needs)


def choose_from(
    grid: Grid, needs: Needs, *, held: Mapping[str, int] | None = None, keep: int | None = None
) -> Choice:
    """Choose the site of one bunch.

    ``held``: by site, how many of the bunch's input files are there (None = as the offers say).
    ``keep``: how many verdicts the choice brings along (None = all); the decision is the same.

    1. Candidates: the site fixed by the submitter, or the sites of the cloud, or all.
    2. Every filter is asked at every candidate; each refusal is kept as a sentence.
    3. The sites that may take the bunch are weighed (small is good).
    4. The best two stay, the second only while its weight is at most twice the first's.
    5. Of these the one that holds most of the bunch's files wins, else the smaller weight.

    Nobody left: no site, and the reasons. Ties end by name, so that the same facts always give
    the same choice.
    """
    judged = grid.verdicts(needs, held)
    accepted = [verdict for verdict in judged if verdict.accepted]
    refused = [verdict for verdict in judged if not verdict.accepted]
    left_out = 0 if keep is None else max(len(judged) - keep, 0)
    if accepted:
        ranked = rank(accepted, needs=needs, limits=grid.limits, keep=keep)
        verdicts = (*ranked, *refused)[:keep]
        return Choice(
            site=ranked[0].site, reason=ranked[0].reason, verdicts=verdicts, left_out=left_out
        )
    return Choice(
        site=None,
        reason=_nobody(needs, refused),
        verdicts=tuple(refused[:keep]),
        release_nowhere=_release_nowhere(needs, grid),
        left_out=left_out,
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


def _release_nowhere(needs: Needs, grid: Grid) -> bool:
    """Whether no site of the whole grid that serves such jobs has the release.

    Asked of every cloud and whatever a site's status: a job fails for good by this, so a release
    that is anywhere, even at a site that is off today, is reason enough to wait. So is one that is
    installed and not validated yet, for reprocessing.
    """
    if not needs.releases:
        return False
    serving = [at for at in grid.places() if not job_type(needs, *at) and not vo(needs, *at)]
    return bool(serving) and all(lacks_releases(needs, *at) for at in serving)
