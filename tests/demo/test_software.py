"""Releases as they are installed at the demo's sites."""

import subprocess
import sys
from pathlib import Path

import pytest

from pandasite.demo.grid import ANALYSIS, CMT_CONFIG, GENERATION, DemoFolder, site_named
from pandasite.demo.software import install, with_interpreter


def test_a_site_gets_only_its_own_releases(tmp_path: Path) -> None:
    folder, place = DemoFolder(tmp_path), site_named("AGLT2")

    install(folder, place)

    assert [path.name for path in folder.software(place).iterdir()] == [GENERATION]


@pytest.mark.parametrize("site", ["BNL_ATLAS_1", "IU_OSG"])  # between them, all releases
def test_each_installed_program_starts(site: str, tmp_path: Path) -> None:
    programs = install(DemoFolder(tmp_path), site_named(site))

    assert programs
    for program in programs:
        asked = subprocess.run(
            [program, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert asked.returncode == 0, asked.stderr


def test_installing_again_touches_nothing(tmp_path: Path) -> None:
    folder, place = DemoFolder(tmp_path), site_named("LPC")
    [program, *_others] = install(folder, place)
    before = program.stat()

    install(folder, place)

    assert program.stat().st_mtime_ns == before.st_mtime_ns
    assert program.stat().st_ino == before.st_ino


def test_a_changed_program_is_replaced(tmp_path: Path) -> None:
    folder, place = DemoFolder(tmp_path), site_named("LPC")
    [program, *_others] = install(folder, place)
    program.write_text("old")

    install(folder, place)

    assert program.read_text().startswith(f"#!{sys.executable}")
    assert program.parent == folder.software(place) / ANALYSIS / CMT_CONFIG


@pytest.mark.parametrize("name", ["with blank", "x" * 150], ids=["blank", "long"])
def test_a_python_in_an_awkward_place_still_runs_the_program(name: str, tmp_path: Path) -> None:
    python = tmp_path / name / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    program = tmp_path / "program.py"
    program.write_text(with_interpreter("#!/usr/bin/env python3\nprint('ran')\n", str(python)))
    program.chmod(0o755)

    done = subprocess.run([program, "a b"], capture_output=True, text=True, check=False)

    assert done.stdout == "ran\n", done.stderr
