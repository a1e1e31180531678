"""A light grid and what it is given to do: three sites in two clouds, jobs of about a second.

Events are generated at one site, moved home from there, and read in the other cloud, whose
output goes home too; so each pair of jobs needs three transfers. A third release, at home, is for
pilots that a test starts by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pandasite.demo.grid import Place, Region
from pandasite.demo.productions import PlannedJob, Production
from pandasite.demo.submissions import file, job

GENERATION = "Flow-1.0"
ANALYSIS = "Flow-2.0"
LABORATORY = "Flow-3.0"

HOME = Place(name="BNL_ATLAS_1", cloud="US", tier=1, releases=(LABORATORY,))
MAKER = Place(name="AGLT2", cloud="US", type="production", releases=(GENERATION,))
READER = Place(name="IN2P3-CC", cloud="FR", tier=1, flavour="EGEE", releases=(ANALYSIS,))
SITES = (HOME, MAKER, READER)
REGIONS = (Region(name="US", tier1=HOME.name), Region(name="FR", tier1=READER.name))
PILOTS = {MAKER: 2, READER: 2}  # those that the launcher looks after

PROGRAM = "payload.py"
SCOPE = "flow"
# Large, so that there is a time in which it is being copied; a hole on the disk at its source.
ARCHIVE = "EVNT.archive._00001.dat"
ARCHIVE_DATASET = "flow.archive.EVNT"
ARCHIVE_BYTES = 192 * 1024 * 1024


def pairs(tag: str, *, number: int, journal: Path, seconds: float = 1.0) -> Production:
    """So many jobs that make a file, and as many that each read one of them."""
    numbers = range(1, number + 1)
    makers = [maker(tag, nr, options(journal, seconds=seconds)) for nr in numbers]
    readers = [
        reader(tag, nr, event_file(tag, nr), event_dataset(tag), options(journal, seconds=seconds))
        for nr in numbers
    ]
    return production(tag, [*makers, *readers])


def with_archive(tag: str, *, number: int, journal: Path) -> Production:
    """The same, and a job whose input is the large file that lies at home."""
    jobs = pairs(tag, number=number, journal=journal).jobs
    return production(tag, [*jobs, reader(tag, 0, ARCHIVE, ARCHIVE_DATASET, options(journal))])


def by_hand(tag: str, number: int, *, journal: Path, release: Path | None = None) -> Production:
    """Jobs for pilots started by hand; with `release` each goes on until that file is there."""
    words = options(journal, until=release) if release else options(journal)
    return production(tag, [laboratory(tag, nr, words) for nr in range(1, number + 1)])


def production(tag: str, jobs: Iterable[PlannedJob]) -> Production:
    return Production(key=f"flow-{tag}", title=tag, jobs=tuple(jobs))


def maker(tag: str, nr: int, words: Sequence[str]) -> PlannedJob:
    return planned(
        f"flow.{tag}.maker._{nr:05d}",
        words,
        output=event_file(tag, nr),
        dataset=event_dataset(tag),
        atlas_release=GENERATION,
        cloud="US",
        destination_se=HOME.storage,
    )


def reader(tag: str, nr: int, lfn: str, dataset: str, words: Sequence[str]) -> PlannedJob:
    return planned(
        f"flow.{tag}.reader._{nr:05d}",
        [*words, "--input", lfn],
        output=f"HIST.{tag}._{nr:05d}.txt",
        dataset=f"flow.{tag}.HIST",
        atlas_release=ANALYSIS,
        cloud="FR",
        destination_se=HOME.storage,
        max_disk_count=1000,
        input_files=[file(lfn, SCOPE, dataset)],
    )


def laboratory(tag: str, nr: int, words: Sequence[str]) -> PlannedJob:
    return planned(
        f"flow.{tag}.laboratory._{nr:05d}",
        words,
        output=f"LAB.{tag}._{nr:05d}.txt",
        dataset=f"flow.{tag}.LAB",
        atlas_release=LABORATORY,
        cloud="US",
        site=HOME.name,
    )


def planned(
    name: str, words: Sequence[str], *, output: str, dataset: str, **fields: Any
) -> PlannedJob:
    return PlannedJob(
        submission=job(
            name,
            transformation=PROGRAM,
            job_parameters=shlex.join([*words, "--output", output]),
            output_files=[file(output, SCOPE, dataset)],
            **fields,
        )
    )


def options(journal: Path, *, seconds: float = 0.0, until: Path | None = None) -> list[str]:
    """How long the program lives, and where it says so."""
    words = ["--journal", str(journal), "--seconds", str(seconds)]
    return [*words, "--until", str(until)] if until else words


def event_file(tag: str, nr: int) -> str:
    return f"EVNT.{tag}._{nr:05d}.txt"


def event_dataset(tag: str) -> str:
    return f"flow.{tag}.EVNT"
