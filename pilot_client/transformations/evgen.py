#!/usr/bin/env python3
"""Generate proton-proton collisions with PYTHIA 6.428 and write one event file.

usage: evgen.py --events 300 --seed 1 --output EVNT._00001.npz
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from formats import Events, write_events
from jobreport import PROGRAM_FAILED, TransformationError, run

GENERATOR_LOG = "pythia.log"
MAX_SEED = 900_000_000  # the largest MRPY(1) that PYTHIA 6 takes


def main() -> int:
    args = parse_args()
    say = quiet_generator()
    return run(lambda: generate(args, say))


def parse_args() -> argparse.Namespace:
    """Read the command line; the generator's limits are checked before it is loaded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--events", type=int, required=True, help="collisions to generate, 1-100000"
    )
    parser.add_argument("--seed", type=int, required=True, help=f"random seed, 1-{MAX_SEED}")
    parser.add_argument("--energy-tev", type=float, default=14.0, help="centre-of-mass energy, TeV")
    parser.add_argument("--output", type=Path, required=True, help="event file to write (.npz)")
    args = parser.parse_args()
    if not 1 <= args.events <= 100_000:
        parser.error(f"--events must be between 1 and 100000, not {args.events}")
    if not 1 <= args.seed <= MAX_SEED:
        parser.error(f"--seed must be between 1 and {MAX_SEED}, not {args.seed}")
    if not 0.1 <= args.energy_tev <= 100:
        parser.error(f"--energy-tev must be between 0.1 and 100, not {args.energy_tev}")
    return args


def quiet_generator() -> TextIO:
    """Send what the Fortran code prints to a log file; return a stream to the true stdout.

    The generator writes to the file descriptor, past sys.stdout, so the descriptor itself moves.
    """
    sys.stdout.flush()
    say = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    log = os.open(GENERATOR_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.close(log)
    return say


def generate(args: argparse.Namespace, say: TextIO) -> dict[str, int]:
    """Generate, collect and write; return the events per output file."""
    # Loaded late: it takes a second, and its banner must find the log in place.
    from chromo.constants import TeV
    from chromo.kinematics import CenterOfMass
    from chromo.models import Pythia6

    beams = CenterOfMass(args.energy_tev * TeV, "p", "p")
    try:
        model = Pythia6(beams, seed=args.seed)
        chunks = list(final_states(progress(model(args.events), args.events, say)))
    except RuntimeError as error:
        raise TransformationError(PROGRAM_FAILED, f"PYTHIA failed: {error}") from error
    write_events(args.output, collect(chunks, args, float(model.cross_section().inelastic)))
    print(f"wrote {args.output} with {len(chunks)} events", file=say)
    return {args.output.name: len(chunks)}


def progress(events: Iterable[Any], wanted: int, say: TextIO) -> Iterator[Any]:
    """Pass the events on and say every hundred: the pilot shows the tail of it in the monitor."""
    for done, event in enumerate(events, start=1):
        yield event
        if done % 100 == 0 or done == wanted:
            print(f"generated {done} of {wanted} events", file=say)


def final_states(events: Iterable[Any]) -> Iterator[dict[str, np.ndarray]]:
    """Particle arrays of each event. Copies: the generator reuses its buffers."""
    for event in events:
        end = event.final_state()
        yield {
            "pid": end.pid.astype(np.int32),
            "charge": end.charge.astype(np.int8),
            "px": end.px.astype(np.float32),
            "py": end.py.astype(np.float32),
            "pz": end.pz.astype(np.float32),
            "energy": end.en.astype(np.float32),
        }


def collect(
    chunks: list[dict[str, np.ndarray]], args: argparse.Namespace, cross_section_mb: float
) -> Events:
    """Put the events end to end."""
    sizes = [len(chunk["pid"]) for chunk in chunks]
    return Events(
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        particles={name: np.concatenate([c[name] for c in chunks]) for name in chunks[0]},
        sqrt_s_gev=args.energy_tev * 1000,
        cross_section_mb=cross_section_mb,
        generator="PYTHIA 6.428",
    )


if __name__ == "__main__":
    sys.exit(main())
