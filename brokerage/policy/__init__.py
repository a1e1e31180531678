"""The brokerage policy: which site a bunch of jobs goes to, and why not the others.

Pure: facts in, choice out; no Django, no I/O, no clock, no chance. ``docs/brokerage.md`` tells the
rules in words, and how to add one.
"""

from .bunching import bunches
from .choice import choose, choose_from
from .grid import Grid
from .needs import CloudRules, Limits, Needs, Offer
from .verdicts import Choice, Gist, Verdict, explain_lines

__all__ = [
    "Choice",
    "CloudRules",
    "Gist",
    "Grid",
    "Limits",
    "Needs",
    "Offer",
    "Verdict",
    "bunches",
    "choose",
    "choose_from",
    "explain_lines",
]
