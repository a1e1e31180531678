#!/usr/bin/env python3
"""Molecular dynamics of a zwitterionic ALA3 peptide in vacuum with the CHARMM36 force field.

usage: charmm.py --steps 5000 --seed 1 --output CHARMM._00001.npz

Output arrays, one entry per kept frame: time_ps, potential_kj_mol, kinetic_kj_mol, temperature_k,
end_to_end_nm, positions_nm (frames, atoms, 3); and atoms (names).
"""

import argparse
import io
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from formats import write_npz
from jobreport import PROGRAM_FAILED, TransformationError, run

STEP_PS = 0.002  # bonds to hydrogen are rigid, so two femtoseconds are safe
FRICTION_PER_PS = 1.0
GAS_CONSTANT = 0.00831446  # kJ/(mol K)
FRAMES = 100

# An extended strand from ideal bond lengths and angles (phi -120, psi 130, omega 180 degrees).
# Both ends are charged; the hydrogens are added at run time.
ALA3 = """\
ATOM      1  N   ALA A   1       0.000   0.000   0.000  1.00  0.00           N
ATOM      2  CA  ALA A   1       1.458   0.000   0.000  1.00  0.00           C
ATOM      3  C   ALA A   1       2.005   1.424   0.000  1.00  0.00           C
ATOM      4  O   ALA A   1       1.592   2.251  -0.813  1.00  0.00           O
ATOM      5  CB  ALA A   1       1.984  -0.761  -1.218  1.00  0.00           C
ATOM      6  N   ALA A   2       2.931   1.706   0.910  1.00  0.00           N
ATOM      7  CA  ALA A   2       3.532   3.030   1.013  1.00  0.00           C
ATOM      8  C   ALA A   2       5.041   2.963   0.803  1.00  0.00           C
ATOM      9  O   ALA A   2       5.723   2.150   1.426  1.00  0.00           O
ATOM     10  CB  ALA A   2       3.222   3.643   2.381  1.00  0.00           C
ATOM     11  N   ALA A   3       5.557   3.817  -0.075  1.00  0.00           N
ATOM     12  CA  ALA A   3       6.986   3.853  -0.366  1.00  0.00           C
ATOM     13  C   ALA A   3       7.575   5.221  -0.041  1.00  0.00           C
ATOM     14  O   ALA A   3       7.042   6.248  -0.462  1.00  0.00           O
ATOM     15  CB  ALA A   3       7.231   3.515  -1.838  1.00  0.00           C
ATOM     16  OXT ALA A   3       8.608   5.263   0.662  1.00  0.00           O
TER
END
"""


def main() -> int:
    args = parse_args()
    return run(lambda: simulate(args))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, required=True, help="steps of 2 fs, 100-10000000")
    parser.add_argument("--seed", type=int, required=True, help="random seed, from 1")
    parser.add_argument("--temperature", type=float, default=300.0, help="of the heat bath, K")
    parser.add_argument("--output", type=Path, required=True, help="trajectory to write (.npz)")
    args = parser.parse_args()
    if not 100 <= args.steps <= 10_000_000:
        parser.error(f"--steps must be between 100 and 10000000, not {args.steps}")
    if not 1 <= args.seed < 2**31:
        parser.error(f"--seed must be between 1 and {2**31 - 1}, not {args.seed}")
    if not 1 <= args.temperature <= 1000:
        parser.error(f"--temperature must be between 1 and 1000, not {args.temperature}")
    return args


def simulate(args: argparse.Namespace) -> dict[str, int]:
    """Minimise, run, keep frames, write; return the frames per output file."""
    import openmm

    try:
        simulation, free = prepare(args)
        frames = [frame(simulation, free) for _ in strides(simulation, args.steps)]
    except openmm.OpenMMException as error:
        raise TransformationError(PROGRAM_FAILED, f"OpenMM failed: {error}") from error
    check_finite(frames)
    names = [f"{a.residue.index + 1}:{a.name}" for a in simulation.topology.atoms()]
    arrays: dict[str, object] = {name: np.array([f[name] for f in frames]) for name in frames[0]}
    write_npz(args.output, {**arrays, "atoms": np.array(names)})
    mean = float(np.mean([f["temperature_k"] for f in frames]))
    print(f"wrote {args.output}: {len(frames)} frames, mean temperature {mean:.0f} K")
    return {args.output.name: len(frames)}


def prepare(args: argparse.Namespace) -> tuple[Any, int]:
    """The minimised system at temperature, and its degrees of freedom.

    The Reference platform: with one thread and 33 atoms it beats the parallel one.
    """
    from openmm import LangevinMiddleIntegrator, Platform, app, unit

    print("building ALA3 with CHARMM36", flush=True)
    pdb = app.PDBFile(io.StringIO(ALA3))
    field = app.ForceField("charmm36.xml")
    model = app.Modeller(pdb.topology, pdb.positions)
    model.addHydrogens(field)
    system = field.createSystem(
        model.topology,
        nonbondedMethod=app.NoCutoff,
        constraints=app.HBonds,
        removeCMMotion=False,  # the heat bath acts on all degrees of freedom, so all are counted
    )
    integrator = LangevinMiddleIntegrator(
        args.temperature * unit.kelvin, FRICTION_PER_PS / unit.picosecond, STEP_PS
    )
    integrator.setRandomNumberSeed(args.seed)
    reference = Platform.getPlatformByName("Reference")
    simulation = app.Simulation(model.topology, system, integrator, reference)
    simulation.context.setPositions(model.positions)
    simulation.minimizeEnergy(maxIterations=200)
    simulation.context.setVelocitiesToTemperature(args.temperature, args.seed)
    free = 3 * system.getNumParticles() - system.getNumConstraints()
    return simulation, free


def strides(simulation: Any, steps: int) -> Any:
    """Run `steps` in at most FRAMES strides, giving control back after each."""
    stride = max(1, math.ceil(steps / FRAMES))
    for done in range(0, steps, stride):
        simulation.step(min(stride, steps - done))
        if done // stride % 20 == 0:
            print(f"step {done} of {steps}", flush=True)
        yield done


def frame(simulation: Any, free: int) -> dict[str, Any]:
    """What is kept of one moment."""
    from openmm import unit

    state = simulation.context.getState(positions=True, energy=True)
    kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
    positions = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    first, last = end_atoms(simulation.topology)
    return {
        "time_ps": state.getTime().value_in_unit(unit.picosecond),
        "potential_kj_mol": state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole),
        "kinetic_kj_mol": kinetic,
        "temperature_k": 2 * kinetic / (free * GAS_CONSTANT),
        "end_to_end_nm": float(np.linalg.norm(positions[last] - positions[first])),
        "positions_nm": positions.astype(np.float32),
    }


def end_atoms(topology: Any) -> tuple[int, int]:
    """Indices of the first nitrogen and the last carbonyl carbon."""
    first = next(a.index for a in topology.atoms() if a.name == "N")
    last = [a.index for a in topology.atoms() if a.name == "C"][-1]
    return first, last


def check_finite(frames: list[dict[str, Any]]) -> None:
    """A trajectory that blew up is a failed job, not a result."""
    if not all(math.isfinite(f["potential_kj_mol"] + f["kinetic_kj_mol"]) for f in frames):
        raise TransformationError(PROGRAM_FAILED, "the trajectory blew up: energies are not finite")


if __name__ == "__main__":
    sys.exit(main())
