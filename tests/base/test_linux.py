"""What is not Linux runs all tests but those of whole installations."""

from pathlib import Path

import pytest

from tests import linux

HERE = Path(__file__).parent


class Item:
    """A test as far as it is looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.markers: list[pytest.MarkDecorator] = []

    def add_marker(self, marker: pytest.MarkDecorator) -> None:
        self.markers.append(marker)


def marked(monkeypatch: pytest.MonkeyPatch, platform: str) -> list[list[str]]:
    """The reasons to skip a test below this folder, and one beside it."""
    monkeypatch.setattr("tests.linux.sys.platform", platform)
    items = [Item(HERE / "test_it.py"), Item(HERE.parent / "jobs" / "test_it.py")]
    linux.only_on_linux(items, below=HERE, because="has death signals")  # type: ignore[arg-type]
    return [[marker.kwargs["reason"] for marker in item.markers] for item in items]


def test_elsewhere_the_tests_of_the_folder_are_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert marked(monkeypatch, "darwin") == [["only Linux has death signals"], []]


def test_on_linux_none_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert marked(monkeypatch, "linux") == [[], []]
