"""The kinds of forms for tasks: Generic, EvGen and CTBsim, as the frame of 2009 has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.asking.fields import FIELDS

BEAM = ("particle", "energy_gev", "run")
READING = ("inputs", "secondary", "files_per_job", "gb_per_job")
MERGING = ("merge_transformation", "merge_parameters", "merge_output", "merge_files_per_job")
MAKING = "--events ${MAXEVENTS} --seed ${N} --output ${OUTPUT0}"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A form: which fields it has, and what it starts from."""

    name: str
    title: str
    intro: str
    without: Sequence[str] = ()
    starts: Mapping[str, str] = field(default_factory=dict)
    word: str = ""  # in the name of a transformation that suits

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields."""
        return tuple(name for name in FIELDS if name not in self.without)


KINDS: Mapping[str, Kind] = {
    "generic": Kind(
        name="generic",
        title="Generic Task Req",
        intro="Any task: with input or without, with merging if need be.",
        without=BEAM,
    ),
    "evgen": Kind(
        name="evgen",
        title="EvGen Task Req",
        intro="Event generation: jobs without input, each with a seed and events of its own.",
        without=(*BEAM, *READING, *MERGING),
        starts={"processing_type": "evgen", "job_parameters": MAKING, "events_per_job": "1000"},
        word="evgen",
    ),
    "ctbsim": Kind(
        name="ctbsim",
        title="CTBsim Task Req",
        intro="Simulation of the combined test beam: a beam of one kind of particle and energy"
        " on the test setup. Particle, energy and run go in front of the job parameters.",
        without=(*READING, *MERGING),
        starts={"processing_type": "simul", "job_parameters": MAKING, "events_per_job": "500"},
        word="ctb",
    ),
}
