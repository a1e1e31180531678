"""`pandasite tag` against a real server."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from tests.cli.calls import Call


def test_a_tag_is_made_listed_and_shown(alice: Any, call: Call) -> None:
    # given
    alice.user_permissions.add(Permission.objects.get(codename="add_tag"))
    facts = ("-t", "evgen.py", "--platform", "x86_64-slc5", "--parameters", "--seed ${N}")
    # when
    made = call("tag", "new", "e1", *facts, "--reason", "mc09")
    again = call("tag", "new", "e1", *facts, "--json")
    listed = call("tag", "list", "--name", "e")
    shown = call("tag", "show", "e1", "--json")
    # then
    assert (made.code, again.code, listed.code) == (0, 0, 0), made.err
    assert "x86_64-slc5" in made.out and "e1" in listed.out
    assert again.json == shown.json
    assert shown.json["job_parameters"] == "--seed ${N}"


@pytest.mark.usefixtures("alice")
def test_refusals_are_told_in_a_sentence(call: Call) -> None:
    refused = call("tag", "new", "e1", "-t", "evgen.py")
    nothing = call("tag", "show", "e9")

    assert (refused.code, nothing.code) == (1, 1)
    assert "jobs.add_tag" in refused.err
    assert "there is no tag e9" in nothing.err
