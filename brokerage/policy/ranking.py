"""From the sites that may take a bunch to the one that gets it, and why the others did not."""

from collections.abc import Sequence
from dataclasses import dataclass

from .needs import Limits, Needs, plain
from .verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class Final:
    """The last step of a choice: the smallest weight, the few sites left beside it, the winner."""

    best: Verdict
    near: tuple[Verdict, ...]
    winner: Verdict


def rank(
    accepted: Sequence[Verdict], *, needs: Needs, limits: Limits, keep: int | None = None
) -> list[Verdict]:
    """The winner first, then the others by weight, each with the reason of its place.

    ``keep``: how many of them (None = all).

    Files break a tie of weights too: on an idle grid every weight is 0, and the site that holds
    the inputs must not lose its place among the best two to the alphabet.
    """
    by_weight = sorted(accepted, key=lambda v: (_weight(v), -v.held_files, v.site))
    final = _final(by_weight, limits=limits)
    losers = [v for v in by_weight if v is not final.winner]
    won = final.winner._replace(reason=_won(final, needs=needs, n_accepted=len(by_weight)))
    if keep is not None:
        losers = losers[: max(keep - 1, 0)]
    said = ((v, _lost(v, final, needs=needs, limits=limits)) for v in losers)
    return [won, *(loser._replace(reason=reason) for loser, reason in said)]


def _final(by_weight: Sequence[Verdict], *, limits: Limits) -> Final:
    best, *others = by_weight[: limits.keep_best]
    ceiling = limits.drop_ratio * _weight(best)
    near = (best, *(v for v in others if _weight(v) <= ceiling))
    winner = min(near, key=lambda v: (-v.held_files, _weight(v), v.site))
    return Final(best=best, near=near, winner=winner)


def _won(final: Final, *, needs: Needs, n_accepted: int) -> str:
    winner = final.winner
    if needs.fixed:
        return "fixed by the submitter"
    if n_accepted == 1:
        return "the only site that can take it"
    if any(v.held_files < winner.held_files for v in final.near):
        return (
            f"holds {winner.held_files} of {needs.total_input_files} input files, "
            f"the most of the best {len(final.near)} sites"
        )
    return f"smallest weight, {_number(winner)}, of {n_accepted} sites that can take it"


def _lost(loser: Verdict, final: Final, *, needs: Needs, limits: Limits) -> str:
    winner, best = final.winner, final.best
    if loser not in final.near:
        if _weight(loser) > limits.drop_ratio * _weight(best):
            over = f"over {plain(limits.drop_ratio)} times the {_number(best)} of {best.site}"
            return f"weight {_number(loser)} is {over}"
        return f"weight {_number(loser)} is not among the best {limits.keep_best}"
    if loser.held_files < winner.held_files:
        return (
            f"holds {loser.held_files} of {needs.total_input_files} input files, "
            f"{winner.site} holds {winner.held_files}"
        )
    if _weight(loser) > _weight(winner):
        return f"weight {_number(loser)} is larger than the {_number(winner)} of {winner.site}"
    return f"equal to {winner.site}, whose name comes first"


def _weight(verdict: Verdict) -> float:
    return verdict.weight or 0.0


def _number(verdict: Verdict) -> str:
    return plain(_weight(verdict))
