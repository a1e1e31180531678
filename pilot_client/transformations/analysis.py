#!/usr/bin/env python3
"""Make histograms of charged multiplicity, pT and pseudorapidity from event files.

usage: analysis.py --input EVNT._00001.npz [EVNT._00002.npz ...] --output HIST._00001.npz
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from formats import EDGES, Events, Floats, Histograms, read_events, write_histograms
from jobreport import run

MIN_PT_GEV = 0.1
MAX_ETA = 2.5  # what a tracker sees; the eta histogram itself is filled beyond it


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--input", type=Path, nargs="+", required=True, help="event files")
    parser.add_argument("--output", type=Path, required=True, help="histogram file to write (.npz)")
    args = parser.parse_args()
    return run(lambda: analyse(args.input, args.output))


def analyse(inputs: list[Path], output: Path) -> dict[str, int]:
    """Fill and write; return the events per output file."""
    total = Histograms()
    for path in inputs:
        events = read_events(path)
        total += fill(events)
        print(f"read {len(events)} events of {events.generator} from {path}", flush=True)
    write_histograms(output, total)
    print(f"mean charged multiplicity {total.sums['tracks'] / total.sums['events']:.1f}")
    return {output.name: int(total.sums["events"])}


def fill(events: Events) -> Histograms:
    """Histograms of the charged particles with pT over MIN_PT_GEV."""
    pt, eta, event_nr = charged(events)
    seen = np.abs(eta) < MAX_ETA
    multiplicity = np.bincount(event_nr[seen], minlength=len(events))
    values = {"multiplicity": multiplicity, "pt": pt[seen], "eta": eta}
    return Histograms(
        sample=events.sample,
        counts={name: count(values[name], EDGES[name]) for name in EDGES},
        sums={"events": len(events), "tracks": float(seen.sum()), "pt_gev": float(pt[seen].sum())},
    )


def charged(events: Events) -> tuple[Floats, Floats, np.ndarray]:
    """pT (GeV), pseudorapidity and event number of each selected charged particle."""
    p = {name: events.particles[name].astype(np.float64) for name in ("px", "py", "pz")}
    pt = np.hypot(p["px"], p["py"])
    event_nr = np.repeat(np.arange(len(events)), np.diff(events.offsets))
    keep = (events.particles["charge"] != 0) & (pt > MIN_PT_GEV)
    return pt[keep], np.arcsinh(p["pz"][keep] / pt[keep]), event_nr[keep]


def count(values: np.ndarray, edges: Floats) -> Floats:
    """Entries per bin; what lies outside the edges is only in the sums."""
    return np.histogram(values, bins=edges)[0].astype(np.float64)


if __name__ == "__main__":
    sys.exit(main())
