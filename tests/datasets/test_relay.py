"""Files of an earlier layout are moved to where they are looked for now."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from datasets.relay import old_path_of
from datasets.storage import path_of
from tests.builders import create_file, create_storage

pytestmark = pytest.mark.django_db


@pytest.fixture
def disk(tmp_path):
    return create_storage("DISK", url=f"file://{tmp_path}")


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def relay_files():
    said = StringIO()
    call_command("relay_files", stdout=said)
    return said.getvalue()


def test_a_file_at_its_old_path_is_moved_and_one_at_its_place_is_left(tmp_path, disk):
    for lfn, path in (("OLD", old_path_of), ("NEW", path_of), ("LOST", None)):
        create_file(lfn, scope="user.alice", at=[disk])
        if path:
            put(tmp_path / path("user.alice", lfn), lfn)

    said = relay_files()

    assert (tmp_path / path_of("user.alice", "OLD")).read_text() == "OLD"
    assert not (tmp_path / old_path_of("user.alice", "OLD")).exists()
    assert (tmp_path / path_of("user.alice", "NEW")).read_text() == "NEW"
    assert "DISK has no user.alice:LOST" in said
    assert "DISK: 1 moved, 1 at their place, 1 at neither" in said


def test_a_second_run_moves_nothing(tmp_path, disk):
    create_file("OLD", scope="mc09", at=[disk])
    put(tmp_path / old_path_of("mc09", "OLD"), "OLD")
    relay_files()

    assert "DISK: 0 moved, 1 at their place, 0 at neither" in relay_files()


def test_a_storage_element_that_cannot_be_opened_is_named_and_the_others_are_done(tmp_path, disk):
    create_storage("ASTRAY", url="gopher://nowhere/x")
    create_file("OLD", scope="mc09", at=[disk])
    put(tmp_path / old_path_of("mc09", "OLD"), "OLD")

    with pytest.raises(CommandError, match="1 storage elements could not be looked through"):
        relay_files()
    assert (tmp_path / path_of("mc09", "OLD")).exists()
