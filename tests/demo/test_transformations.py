"""The programs of the demo, run as the pilot runs them: a command in a folder of its own."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TRANSFORMATIONS = Path(__file__).resolve().parents[2] / "pilot_client" / "transformations"
EVENTS = 150


def run(folder: Path, script: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", str(TRANSFORMATIONS / script), *map(str, args)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "jobReport.json").read_text())


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one generated event file, and what the script printed."""
    folder = tmp_path_factory.mktemp("evgen")
    done = run(folder, "evgen.py", "--events", EVENTS, "--seed", 7, "--output", "EVNT._00001.npz")
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def histograms(events: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the histogram file of that event file."""
    folder = tmp_path_factory.mktemp("analysis")
    source = events / "EVNT._00001.npz"
    done = run(folder, "analysis.py", "--input", source, "--output", "HIST._00001.npz")
    assert done.returncode == 0, done.stderr
    return folder


def test_generated_events_conserve_energy_charge_and_momentum(events: Path) -> None:
    arrays = np.load(events / "EVNT._00001.npz")
    starts = arrays["offsets"][:-1]

    energy = np.add.reduceat(arrays["energy"].astype(float), starts)
    charge = np.add.reduceat(arrays["charge"].astype(int), starts)
    px = np.add.reduceat(arrays["px"].astype(float), starts)

    assert len(starts) == EVENTS
    assert energy == pytest.approx(14_000, rel=1e-3)
    assert np.all(charge == 2)  # two protons
    assert np.abs(px).max() < 0.1


def test_proton_collisions_have_the_charged_multiplicity_of_14_tev(events: Path) -> None:
    arrays = np.load(events / "EVNT._00001.npz")

    per_event = np.count_nonzero(arrays["charge"]) / EVENTS

    assert 45 < per_event < 90  # about 63 with this tune
    assert 60 < float(arrays["cross_section_mb"]) < 100  # inelastic, mb


def test_the_generator_floods_its_log_and_not_the_output(events: Path) -> None:
    said = (events / "stdout").read_text().splitlines()

    assert said[-1] == f"wrote EVNT._00001.npz with {EVENTS} events"
    assert len(said) < 10
    assert "PYTHIA version 6.428" in (events / "pythia.log").read_text()


def test_the_report_names_the_events_of_each_file(events: Path) -> None:
    assert report(events) == {
        "exitCode": 0,
        "exitMsg": "OK",
        "files": {"EVNT._00001.npz": {"events": EVENTS}},
    }


def test_the_same_seed_gives_the_same_bytes(events: Path, tmp_path: Path) -> None:
    run(tmp_path, "evgen.py", "--events", EVENTS, "--seed", 7, "--output", "again.npz")

    first = (events / "EVNT._00001.npz").read_bytes()
    assert (tmp_path / "again.npz").read_bytes() == first


def test_the_histograms_agree_with_the_events(events: Path, histograms: Path) -> None:
    found = np.load(histograms / "HIST._00001.npz")

    assert found["events"] == EVENTS
    assert found["multiplicity_counts"].sum() == EVENTS
    assert 12 < found["tracks"] / found["events"] < 35  # within |eta| < 2.5
    assert 0.4 < found["pt_gev"] / found["tracks"] < 0.9  # mean pT, GeV


def test_merging_adds_up_and_draws(histograms: Path, tmp_path: Path) -> None:
    source = histograms / "HIST._00001.npz"

    done = run(
        tmp_path, "merge.py", "--input", source, source, "--output", "r.npz", "--plot", "r.png"
    )

    assert done.returncode == 0, done.stderr
    one, both = np.load(source), np.load(tmp_path / "r.npz")
    assert np.array_equal(both["pt_counts"], 2 * one["pt_counts"])
    assert report(tmp_path)["files"]["r.npz"]["events"] == 2 * EVENTS
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_a_short_peptide_run_keeps_its_temperature_and_its_bonds(tmp_path: Path) -> None:
    done = run(tmp_path, "charmm.py", "--steps", 2000, "--seed", 3, "--output", "traj.npz")

    assert done.returncode == 0, done.stderr
    traj = np.load(tmp_path / "traj.npz")
    atoms, positions = list(traj["atoms"]), traj["positions_nm"]
    bond = np.linalg.norm(
        positions[:, atoms.index("2:CA")] - positions[:, atoms.index("2:C")], axis=1
    )
    assert positions.shape == (100, 33, 3)
    assert 200 < traj["temperature_k"].mean() < 450
    assert 0.14 < bond.mean() < 0.165  # the CA-C bond, nm
    assert traj["time_ps"][-1] == pytest.approx(4.0)
    assert report(tmp_path)["files"] == {"traj.npz": {"events": 100}}


def test_the_crash_is_a_real_segmentation_fault(tmp_path: Path) -> None:
    done = run(tmp_path, "crash.py", "--after-seconds", 0)

    assert done.returncode == -signal.SIGSEGV
    assert not (tmp_path / "jobReport.json").exists()


def test_the_forgetful_program_ends_well_without_its_output(tmp_path: Path) -> None:
    done = run(tmp_path, "forgetful.py", "--output", "HIST._00001.npz")

    assert done.returncode == 0
    assert not (tmp_path / "HIST._00001.npz").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"not a zip file", "damaged"),
        (b"", "damaged"),
    ],
)
def test_a_bad_input_file_is_refused_with_its_name(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "in.npz").write_bytes(content)

    done = run(tmp_path, "analysis.py", "--input", "in.npz", "--output", "out.npz")

    assert done.returncode == 65
    assert "in.npz" in done.stderr
    assert words in report(tmp_path)["exitMsg"]
    assert not (tmp_path / "out.npz").exists()


def test_histograms_are_not_taken_for_events(histograms: Path, tmp_path: Path) -> None:
    source = histograms / "HIST._00001.npz"

    done = run(tmp_path, "analysis.py", "--input", source, "--output", "out.npz")

    assert done.returncode == 65
    assert "is not an event file" in done.stderr


def test_a_truncated_event_file_is_refused(events: Path, tmp_path: Path) -> None:
    whole = (events / "EVNT._00001.npz").read_bytes()
    (tmp_path / "in.npz").write_bytes(whole[: len(whole) // 2])

    done = run(tmp_path, "analysis.py", "--input", "in.npz", "--output", "out.npz")

    assert done.returncode == 65


@pytest.mark.parametrize(
    ("script", "args", "words"),
    [
        ("evgen.py", ("--events", 0, "--seed", 1), "--events must be between 1 and 100000"),
        ("evgen.py", ("--events", 10, "--seed", 0), "--seed must be between 1 and 900000000"),
        ("charmm.py", ("--steps", 5, "--seed", 1), "--steps must be between 100 and 10000000"),
        ("charmm.py", ("--steps", 500, "--seed", -1), "--seed must be between 1 and"),
    ],
)
def test_an_argument_out_of_range_is_named_with_its_limits(
    tmp_path: Path, script: str, args: tuple[object, ...], words: str
) -> None:
    done = run(tmp_path, script, *args, "--output", "out.npz")

    assert done.returncode == 2
    assert words in done.stderr


def test_an_output_that_cannot_be_written_fails_with_the_reason(
    histograms: Path, tmp_path: Path
) -> None:
    source = histograms / "HIST._00001.npz"

    done = run(tmp_path, "merge.py", "--input", source, "--output", "no/r.npz", "--plot", "r.png")

    assert done.returncode == 73
    assert "cannot write no/r.npz" in done.stderr


def test_the_sleeping_program_takes_the_seconds_that_it_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "sleep.py", "--seconds", "0.01").returncode == 0
    assert report(tmp_path)["exitCode"] == 0
    assert "not from 0 to" in run(tmp_path, "sleep.py", "--seconds", "-1").stderr
