"""How the tests are shared out among workers, and read by each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import spreading

HERE = Path(__file__)


def test_each_worker_reads_all_modules_and_begins_where_no_other_does():
    names = spreading.names_below(HERE.parents[1])

    turns = [spreading.in_turn(names, worker=number, workers=3) for number in range(3)]

    assert __name__ in names
    assert [sorted(turn) for turn in turns] == [sorted(names)] * 3
    assert len({turn[0] for turn in turns}) == 3


def test_a_module_that_cannot_be_read_is_left_to_the_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "torn.py").write_text("def (:\n")
    (tmp_path / "skipped.py").write_text(
        "import pytest\npytest.skip('not here', allow_module_level=True)\n"
    )
    (tmp_path / "whole.py").write_text(
        "from pathlib import Path\nPath(__file__ + '.read').touch()\n"
    )

    spreading.read(["torn", "skipped", "whole"])

    assert (tmp_path / "whole.py.read").exists()
