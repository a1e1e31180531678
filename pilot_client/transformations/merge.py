#!/usr/bin/env python3
"""Merge histogram files into one result and draw it.

usage: merge.py --input HIST._00001.npz [...] --output result.npz --plot result.png
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# A worker node's home may not be writable, and the job's folder is not the place for a cache.
os.environ.setdefault("MPLCONFIGDIR", tempfile.mkdtemp(prefix="matplotlib"))
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from formats import EDGES, Histograms, read_histograms, write_histograms
from jobreport import BAD_INPUT, TransformationError, run, whole_file

# The picture brings its own background: shown on a light or a dark page, its contrast stays.
PAPER, INK, GRID, LINE = "#fbfbfd", "#1c2330", "#d5d9e0", "#1f5fbf"
STYLE: Any = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "font.size": 11,
}
AXES = {
    "multiplicity": ("charged particles per event", "events / N", "linear"),
    "pt": ("pT [GeV]", "1/N dN/dpT [1/GeV]", "log"),
    "eta": ("pseudorapidity", "1/N dN/dη", "linear"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--input", type=Path, nargs="+", required=True, help="histogram files")
    parser.add_argument("--output", type=Path, required=True, help="result file to write (.npz)")
    parser.add_argument("--plot", type=Path, required=True, help="picture to write (.png)")
    args = parser.parse_args()
    return run(lambda: merge(args.input, args.output, args.plot))


def merge(inputs: list[Path], output: Path, plot: Path) -> dict[str, int]:
    """Add up, write and draw; return the events per output file."""
    total = sum((read_histograms(path) for path in inputs), start=Histograms())
    events = int(total.sums["events"])
    if not events:
        raise TransformationError(BAD_INPUT, "the histogram files hold no events")
    write_histograms(output, total)
    draw(total, plot)
    print(f"merged {len(inputs)} files with {events} events into {output} and {plot}")
    return {output.name: events, plot.name: events}


def draw(total: Histograms, plot: Path) -> None:
    """Three panels: multiplicity, pT, pseudorapidity, each with its statistical error."""
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(1, 3, figsize=(13.5, 4.4), dpi=110, layout="constrained")
        for panel, name in zip(panels, AXES, strict=True):
            draw_panel(panel, name, total)
        figure.suptitle(title(total))
        whole_file(plot, lambda part: figure.savefig(part, format="png"))
        plt.close(figure)


def draw_panel(panel: Any, name: str, total: Histograms) -> None:
    """One distribution per event, with Poisson errors."""
    x_label, y_label, scale = AXES[name]
    edges, counts = EDGES[name], total.counts[name]
    per_event = np.ones_like(counts) if name == "multiplicity" else np.diff(edges)
    norm = total.sums["events"] * per_event
    panel.stairs(counts / norm, edges, color=LINE, linewidth=1.6)
    middles = (edges[1:] + edges[:-1]) / 2
    filled = counts > 0
    errors = np.sqrt(counts[filled]) / norm[filled]
    panel.errorbar(middles[filled], (counts / norm)[filled], errors, fmt="none", ecolor=INK, lw=0.8)
    panel.set(xlabel=x_label, ylabel=y_label, xscale=scale, yscale=scale)
    if name != "eta":
        panel.set_xlim(edges[0], edges[1:][filled].max(initial=edges[1]))
    panel.grid(visible=True, linewidth=0.6)
    panel.set_axisbelow(True)


def title(total: Histograms) -> str:
    """The headline with the two means that a physicist looks for first."""
    sums = total.sums
    mean_pt = sums["pt_gev"] / sums["tracks"] if sums["tracks"] else 0.0
    return (
        f"{total.sample}, {int(sums['events'])} events; charged, pT > 0.1 GeV, |η| < 2.5: "
        f"⟨n⟩ = {sums['tracks'] / sums['events']:.1f}, ⟨pT⟩ = {mean_pt:.2f} GeV"
    )


if __name__ == "__main__":
    sys.exit(main())
