"""The two file formats of the physics chain, both plain .npz: events and histograms.

Events: `offsets` (n+1,) says where each event starts in the flat particle arrays `pid` (PDG code),
`charge` (e), `px`, `py`, `pz`, `energy` (GeV). Final-state particles only.
Histograms: `<name>_edges` (bins+1,) and `<name>_counts` (bins,) for each name of EDGES, the sums
from which means are made, and the `sample` they were made from.
"""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jobreport import BAD_INPUT, TransformationError, whole_file
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PARTICLE_ARRAYS = ("pid", "charge", "px", "py", "pz", "energy")
EDGES: dict[str, Floats] = {
    "multiplicity": np.arange(-0.5, 250.0, 5.0),
    "pt": np.geomspace(0.1, 100.0, 31),  # GeV
    "eta": np.linspace(-5.0, 5.0, 41),
}
SUMS = ("events", "tracks", "pt_gev")


@dataclass(frozen=True, kw_only=True)
class Events:
    """Generated collisions of one file."""

    offsets: NDArray[np.int64]
    particles: dict[str, NDArray[np.float32]]
    sqrt_s_gev: float
    cross_section_mb: float
    generator: str

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sample(self) -> str:
        """What was collided, for headlines."""
        return f"pp at {self.sqrt_s_gev / 1000:g} TeV, {self.generator}"


def _no_counts() -> dict[str, Floats]:
    return {name: np.zeros(len(edges) - 1) for name, edges in EDGES.items()}


def _no_sums() -> dict[str, float]:
    return dict.fromkeys(SUMS, 0.0)


@dataclass(frozen=True, kw_only=True)
class Histograms:
    """Counts per bin of EDGES, and the sums over all events and selected tracks.

    `sums` also hold what the bins leave out below and above their edges.
    """

    sample: str = ""
    counts: dict[str, Floats] = field(default_factory=_no_counts)
    sums: dict[str, float] = field(default_factory=_no_sums)

    def __add__(self, other: "Histograms") -> "Histograms":
        if self.sample and self.sample != other.sample:
            mixed = f"cannot add '{other.sample}' to '{self.sample}': not the same sample"
            raise TransformationError(BAD_INPUT, mixed)
        return Histograms(
            sample=other.sample,
            counts={name: self.counts[name] + other.counts[name] for name in EDGES},
            sums={name: self.sums[name] + other.sums[name] for name in SUMS},
        )


def write_npz(path: Path, arrays: dict[str, object]) -> None:
    """Write the arrays compressed; the same arrays give the same bytes."""

    def fill(part: Path) -> None:
        # An open file, because numpy would append its suffix to a bare name.
        with part.open("wb") as out:
            np.savez_compressed(out, **arrays)  # type: ignore[arg-type]

    whole_file(path, fill)


def write_events(path: Path, events: Events) -> None:
    """Write one event file."""
    facts = {
        "sqrt_s_gev": events.sqrt_s_gev,
        "cross_section_mb": events.cross_section_mb,
        "generator": events.generator,
    }
    write_npz(path, {"offsets": events.offsets, **events.particles, **facts})


def read_events(path: Path) -> Events:
    """Read one event file; TransformationError when it is missing, damaged or of another kind."""
    arrays = _read_npz(path)
    try:
        return Events(
            offsets=arrays["offsets"],
            particles={name: arrays[name] for name in PARTICLE_ARRAYS},
            sqrt_s_gev=float(arrays["sqrt_s_gev"]),
            cross_section_mb=float(arrays["cross_section_mb"]),
            generator=str(arrays["generator"]),
        )
    except KeyError as error:
        raise _wrong_kind(path, "an event file", error) from error


def write_histograms(path: Path, histograms: Histograms) -> None:
    """Write one histogram file."""
    edges = {f"{name}_edges": edges for name, edges in EDGES.items()}
    counts = {f"{name}_counts": counts for name, counts in histograms.counts.items()}
    facts = {**histograms.sums, "sample": histograms.sample}
    write_npz(path, {**edges, **counts, **facts})


def read_histograms(path: Path) -> Histograms:
    """Read one histogram file; TransformationError when it is missing, damaged or other-binned."""
    arrays = _read_npz(path)
    try:
        if any(not np.array_equal(arrays[f"{name}_edges"], EDGES[name]) for name in EDGES):
            raise TransformationError(BAD_INPUT, f"{path} has other bin edges than this release")
        return Histograms(
            sample=str(arrays["sample"]),
            counts={name: arrays[f"{name}_counts"] for name in EDGES},
            sums={name: float(arrays[name]) for name in SUMS},
        )
    except KeyError as error:
        raise _wrong_kind(path, "a histogram file", error) from error


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise TransformationError(BAD_INPUT, f"cannot read {path}: {error.strerror}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TransformationError(BAD_INPUT, f"{path} is damaged or no .npz: {error}") from error


def _wrong_kind(path: Path, kind: str, missing: KeyError) -> TransformationError:
    return TransformationError(BAD_INPUT, f"{path} is not {kind}: it has no {missing}")
