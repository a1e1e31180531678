"""A wave of the demo, and the names of all that belongs to it.

Two waves share no name, and any job's name leads back to its wave: that is all the demo has to
remember of what it submitted before it was ended or killed.
"""

import re
from dataclasses import dataclass
from typing import Self

JOB_NAME = re.compile(r"demo\.(?P<size>[ws])(?P<number>\d{5})\.")


@dataclass(frozen=True, kw_only=True)
class Wave:
    """One round of work; what comes after the first is small, to keep the dashboard alive."""

    number: int
    small: bool = False

    @property
    def tag(self) -> str:
        """Part of every name of the wave. The letter tells the size, for who finds it again."""
        return f"{'s' if self.small else 'w'}{self.number:05d}"

    @classmethod
    def of_job(cls, job_name: str) -> Self | None:
        """The wave that a job belongs to; None for a job that is not the demo's."""
        found = JOB_NAME.match(job_name)
        return cls(number=int(found["number"]), small=found["size"] == "s") if found else None

    @property
    def generation_jobs(self) -> int:
        return 2 if self.small else 6

    @property
    def chemistry_jobs(self) -> int:
        return 1 if self.small else 3

    @property
    def events(self) -> int:
        """Collisions per generation job."""
        return 200 if self.small else 400

    @property
    def steps(self) -> int:
        """Steps of molecular dynamics per job, 2 fs each."""
        return 2000 if self.small else 4000


def job_name(wave: Wave, what: str, nr: int) -> str:
    return f"demo.{wave.tag}.{what}._{nr:05d}"


def event_dataset(wave: Wave) -> str:
    return f"mc09_14TeV.105001.pythia_minbias.evgen.EVNT.{wave.tag}"


def histogram_dataset(wave: Wave) -> str:
    return f"user.demo.105001.pythia_minbias.{wave.tag}.HIST"


def event_file(wave: Wave, nr: int) -> str:
    return f"EVNT.{wave.tag}._{nr:05d}.npz"


def histogram_file(wave: Wave, nr: int) -> str:
    return f"HIST.{wave.tag}._{nr:05d}.npz"


def result_file(wave: Wave) -> str:
    return f"result.{wave.tag}.npz"


def plot_file(wave: Wave) -> str:
    return f"result.{wave.tag}.png"


def archive_dataset(wave: Wave) -> str:
    return f"mc08_14TeV.105001.pythia_minbias.evgen.EVNT.{wave.tag}"


def sound_file(wave: Wave) -> str:
    return f"EVNT.mc08.{wave.tag}._00001.npz"


def tampered_file(wave: Wave) -> str:
    return f"EVNT.mc08.{wave.tag}._00002.npz"
