"""Set-up knows what is there already, and says what is missing."""

import hashlib
import json
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "bootstrap.py"


@pytest.fixture
def bootstrap(monkeypatch, tmp_path) -> ModuleType:
    """The script as a module, working on a folder of its own; installing only takes a note."""
    spec = spec_from_file_location("bootstrap", SCRIPT)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    locks = {"run": tmp_path / "requirements.lock", "dev": tmp_path / "requirements-dev.lock"}
    for name, lock in locks.items():
        lock.write_text(name)
    module.installed = []

    def install(lock: Path, venv: Path) -> None:
        module.installed.append(lock.name)
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin" / "python").touch()

    for name, value in {
        "VENV": venv,
        "PYTHON": venv / "bin" / "python",
        "STAMP": venv / "stamp.json",
        "LOCKS": locks,
        "install": install,
    }.items():
        monkeypatch.setattr(module, name, value)
    return module


def test_a_second_run_installs_nothing(bootstrap):
    bootstrap.ensure_environment("run")
    bootstrap.ensure_environment("run")

    assert bootstrap.installed == ["requirements.lock"]


def test_the_development_environment_serves_the_demo_too(bootstrap):
    bootstrap.ensure_environment("dev")
    bootstrap.ensure_environment("run")

    assert bootstrap.installed == ["requirements-dev.lock"]


def test_a_changed_lock_is_installed_and_the_tools_of_a_developer_stay(bootstrap):
    bootstrap.ensure_environment("dev")
    bootstrap.LOCKS["run"].write_text("changed")

    bootstrap.ensure_environment("run")

    assert bootstrap.installed == ["requirements-dev.lock"] * 2


def test_a_broken_off_installation_is_done_again(bootstrap, monkeypatch):
    bootstrap.ensure_environment("run")
    bootstrap.LOCKS["run"].write_text("changed")

    def fail(lock: Path, venv: Path) -> None:
        raise subprocess.CalledProcessError(1, ["pip"])

    with monkeypatch.context() as context:
        context.setattr(bootstrap, "install", fail)
        with pytest.raises(subprocess.CalledProcessError):
            bootstrap.ensure_environment("run")
    bootstrap.LOCKS["run"].write_text("run")
    bootstrap.ensure_environment("run")

    assert bootstrap.installed == ["requirements.lock"] * 2


def test_a_second_run_of_everything_takes_a_fraction_of_a_second(tmp_path):
    """On a copy, with stamps as a first run leaves them."""
    copy = tmp_path / "deploy" / "bootstrap.py"
    copy.parent.mkdir()
    copy.write_bytes(SCRIPT.read_bytes())
    digests = {}
    for name, lock in {"run": "requirements.lock", "dev": "requirements-dev.lock"}.items():
        (tmp_path / lock).write_bytes((ROOT / lock).read_bytes())
        digests[name] = digest(tmp_path / lock)
    (tmp_path / "package-lock.json").write_bytes((ROOT / "package-lock.json").read_bytes())
    place(tmp_path / ".venv" / "bin" / "python", "")
    place(tmp_path / ".venv" / "pandasite-locks.json", json.dumps(digests))
    lock = digest(tmp_path / "package-lock.json")
    place(tmp_path / "pandasite" / "static-npm" / ".lock", lock)

    began = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, copy, "run"], env={"PATH": ""}, capture_output=True, text=True
    )

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert time.perf_counter() - began < 5  # 0.1 s on an idle machine


def test_the_command_line_is_linked_and_an_older_link_replaced(bootstrap):
    link = bootstrap.VENV / "bin" / "pandasite"
    link.parent.mkdir(parents=True)
    link.symlink_to("elsewhere")

    bootstrap.ensure_command()
    bootstrap.ensure_command()

    assert str(link.readlink()) == "../../deploy/pandasite"
    assert (ROOT / "deploy" / "pandasite").stat().st_mode & 0o111


def test_an_old_python_is_told_what_to_do():
    script = (
        "import sys; sys.version_info = (3, 10, 4, 'final', 0)\n"
        f"sys.argv = ['bootstrap.py', 'run']; exec(open({str(SCRIPT)!r}).read())"
    )

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert answer.returncode == 1
    assert answer.stderr.startswith("pandasite needs Python 3.11 or newer, and ")
    assert "is 3.10.4: install one and name it" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_without_a_browser_one_loud_line_says_what_is_skipped(bootstrap, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM_PATH", raising=False)
    monkeypatch.setattr(bootstrap, "may_use_apt", lambda: False)

    bootstrap.ensure_browser()

    said = capsys.readouterr().out
    assert said.startswith("*** No Chromium was found: the page tests are SKIPPED.")
    assert said.count("\n") == 1


def test_a_sandbox_that_cannot_be_had_is_said_and_stops_nothing(bootstrap, monkeypatch, capsys):
    def refuse(command, cwd=None):
        raise subprocess.CalledProcessError(100, command)

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(bootstrap, "may_use_apt", lambda: True)
    monkeypatch.setattr(bootstrap, "run", refuse)

    bootstrap.ensure_sandbox()

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "`apt-get update -qq` ended with 100."
    assert lines[2].startswith("*** No bubblewrap was found: the tests of its sandbox are SKIPPED.")


def test_a_pooler_that_cannot_be_had_is_said_and_stops_nothing(bootstrap, monkeypatch, capsys):
    def refuse(command, cwd=None):
        raise subprocess.CalledProcessError(100, command)

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(bootstrap, "POOLER", Path("/nowhere"))
    monkeypatch.setattr(bootstrap, "may_use_apt", lambda: True)
    monkeypatch.setattr(bootstrap, "run", refuse)

    bootstrap.ensure_pooler()

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "`apt-get update -qq` ended with 100."
    assert lines[2].startswith("*** No PgBouncer was found: the tests behind it are SKIPPED.")


def test_xrootd_that_cannot_be_had_is_said_and_stops_nothing(bootstrap, monkeypatch, capsys):
    def refuse(command, cwd=None):
        raise subprocess.CalledProcessError(100, command)

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(bootstrap, "XROOTD", Path("/nowhere"))
    monkeypatch.setattr(bootstrap, "may_use_apt", lambda: True)
    monkeypatch.setattr(bootstrap, "run", refuse)

    bootstrap.ensure_xrootd()

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "`apt-get update -qq` ended with 100."
    assert lines[2].startswith("*** No XRootD was found: the tests of root:// are SKIPPED.")


@pytest.mark.parametrize(
    "name",
    ["package-lock.json", "requirements.lock", "requirements-dev.lock", "requirements-node.lock"],
)
def test_no_lock_holds_an_address(name):
    text = (ROOT / name).read_text()

    assert '"resolved"' not in text
    assert name == "package-lock.json" or "://" not in text


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def place(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
