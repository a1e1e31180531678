"""Imports go down only, the pilot stands alone, and the checks would notice if not."""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pandasite", "monitor", "jobs", "datasets", "brokerage", "pilot_client", "benchmarks")
LINT = "from importlinter.cli import lint_imports_command as main; main()"
PILOT_MAY_IMPORT = {"requests", "psutil", "pilot_client"}
# A release's programs stand on the physics packages, and import each other from their folder.
RELEASE = "transformations"


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The code without its data, to be broken."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", folder)
    only_code = shutil.ignore_patterns("__pycache__", "static-npm", "*.csv", "*.html")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=only_code)
    return folder


def lint(folder: Path) -> tuple[int, str]:
    answer = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"], cwd=folder, capture_output=True, text=True
    )
    return answer.returncode, answer.stdout


def test_the_layers_are_kept(copy):
    code, said = lint(copy)

    assert code == 0, said


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("brokerage/planted.py", "import jobs.states", "Imports go down only"),
        ("pandasite/base/planted.py", "import pandasite.settings", "Imports go down only"),
        ("pilot_client/planted.py", "import django", "The pilot knows nothing of the server"),
        (
            "pandasite/cli/planted.py",
            "import jobs.states",
            "The command line knows nothing of the server",
        ),
        ("jobs/planted.py", "import pilot_client", "The server knows the pilot by HTTP only"),
        ("brokerage/policy/planted.py", "import django.db", "The choice of a site is pure"),
        ("jobs/planted.py", "import jobs.proddb.models", "prodDB has one door"),
    ],
)
def test_a_planted_violation_is_caught(copy, module, statement, contract):
    planted = copy / module
    planted.write_text(f"{statement}\n")
    try:
        code, said = lint(copy)
    finally:
        planted.unlink()

    assert code == 1
    assert f"{contract} BROKEN" in said


def test_every_module_of_the_roof_has_its_place_in_the_layers():
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    roof = contracts[0]["layers"][0].split(" : ")

    there = {
        f"pandasite.{path.stem}"
        for path in (ROOT / "pandasite").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
    }
    assert there - {"pandasite.base", "pandasite.identity"} == set(roof)


def test_the_pilot_imports_the_standard_library_requests_and_psutil_only():
    allowed = PILOT_MAY_IMPORT | sys.stdlib_module_names
    files = [path for path in (ROOT / "pilot_client").rglob("*.py") if RELEASE not in path.parts]

    strangers = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in files
        for name in imported_by(file)
        if name not in allowed
    }
    assert strangers == set()


def imported_by(file: Path) -> Iterator[str]:
    """The first words of all absolute imports of a file, wherever they stand in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
