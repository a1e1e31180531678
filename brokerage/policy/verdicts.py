"""What comes out of the choice: one verdict a site, and the choice with its reasons.

The same sentences go to the log, to the job's event row, to the page and to the command line.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from .needs import plain

# A choice is stored with every job of a bunch, so its size counts: a dozen sites take 3 kB, and
# these bounds keep the worst grid under 32 kB.
MAX_VERDICTS = 40
MAX_DETAILS = 2
MAX_TEXT = 160


class Verdict(NamedTuple):
    """What the policy says of one site. (A tuple: a round makes hundreds of thousands.)

    ``rule`` names the first filter that refused ('' when accepted) and ``reason`` is its sentence,
    or, for an accepted site, why it was chosen or was not. ``details`` are the sentences of the
    further refusing filters, or the arithmetic of the weight. ``weight``: small is good, None when
    refused. ``held_files``: the bunch's input files that are at the site.
    """

    site: str
    accepted: bool
    reason: str
    rule: str = ""
    weight: float | None = None
    held_files: int = 0
    details: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Bounded JSON: long texts and lists are cut, numbers rounded."""
        return {
            "site": self.site,
            "accepted": self.accepted,
            "rule": self.rule,
            "reason": _cut(self.reason),
            "weight": None if self.weight is None else round(self.weight, 6),
            "held_files": self.held_files,
            "details": [_cut(text) for text in self.details[:MAX_DETAILS]],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Verdict":
        """The verdict of a stored ``as_json()``."""
        return cls(**{**stored, "details": tuple(stored["details"])})


# (site, release_nowhere, by site: the rule that refused, '' when accepted)
Gist = tuple[str | None, bool, frozenset[tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Where the bunch goes, and why.

    ``site`` None: nowhere yet, the jobs stay defined and are tried again. ``release_nowhere``: no
    site of any cloud has the release, so that waiting will not help (brokerage error 100).
    ``verdicts``: the chosen site, the other accepted ones by weight, then the refused ones by name.
    ``left_out``: how many further verdicts were not kept.
    """

    site: str | None
    reason: str
    verdicts: tuple[Verdict, ...] = ()
    release_nowhere: bool = False
    left_out: int = 0

    @property
    def gist(self) -> Gist:
        """What it comes down to, without the numbers; the same for a stored choice."""
        kept = self.verdicts[:MAX_VERDICTS]
        rules = frozenset((verdict.site, verdict.rule) for verdict in kept)
        return self.site, self.release_nowhere, rules

    @property
    def fingerprint(self) -> str:
        """The gist as 16 characters, which fit into a column."""
        site, release_nowhere, rules = self.gist
        said = json.dumps([site, release_nowhere, sorted(rules)])
        return sha256(said.encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Bounded JSON for the job's event row; ``from_json`` reads it back."""
        kept = self.verdicts[:MAX_VERDICTS]
        return {
            "site": self.site,
            "reason": _cut(self.reason),
            "release_nowhere": self.release_nowhere,
            "verdicts": [verdict.as_json() for verdict in kept],
            "left_out": self.left_out + len(self.verdicts) - len(kept),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Choice":
        """The choice of a stored ``as_json()``."""
        verdicts = tuple(Verdict.from_json(verdict) for verdict in stored["verdicts"])
        return cls(**{**stored, "verdicts": verdicts})


def explain_lines(choice: Choice) -> list[str]:
    """The choice for a terminal: the outcome, then one line a site (+ accepted, - refused)."""
    outcome = f"goes to {choice.site}" if choice.site else "goes nowhere yet"
    lines = [f"{outcome}: {choice.reason}"]
    width = max((len(verdict.site) for verdict in choice.verdicts), default=0)
    for verdict in choice.verdicts:
        lines += _site_lines(verdict, width=width)
    if choice.left_out:
        lines.append(f"  and {choice.left_out} more sites, whose verdicts were not kept")
    return lines


def _site_lines(verdict: Verdict, *, width: int) -> list[str]:
    sign = "+" if verdict.accepted else "-"
    weight = "" if verdict.weight is None else plain(verdict.weight)
    margin = " " * (width + 15)
    return [
        f"  {sign} {verdict.site:<{width}}  {weight:>7}  {verdict.reason}",
        *(f"{margin}{text}" for text in verdict.details),
    ]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
