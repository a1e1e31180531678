"""`pandasite job` against a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobs.models import Job
from tests.api.calls import JOB
from tests.builders import create_job
from tests.cli.calls import Call


def test_jobs_are_submitted_once_under_a_key_and_looked_at(
    alice: Any, call: Call, tmp_path: Path
) -> None:
    # given
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps({"jobs": [JOB]}))
    # when
    first = call("job", "submit", str(file), "--key", "k1")
    again = call("job", "submit", str(file), "--key", "k1", "--json")
    listed = call("job", "list", "--state", "defined", "--json").json["jobs"]
    shown = call("job", "show", str(Job.objects.get().pk))
    # then
    assert (first.code, again.code, shown.code) == (0, 0, 0), first.err
    assert again.json["replayed"] is True
    assert [job["panda_id"] for job in listed] == [Job.objects.get().pk]
    assert "mc09.evgen.1" in shown.out and "user.alice:HIST.1" in shown.out


def test_a_job_of_somebody_else_is_not_killed_and_mine_is(alice: Any, call: Call) -> None:
    mine = create_job("defined", owner=alice)
    other = create_job("defined", owner=type(alice).objects.create(username="bob"))

    answer = call("job", "kill", str(mine.pk), str(other.pk))

    assert answer.code == 1
    assert "1 of 2 jobs were not killed" in answer.err
    assert Job.objects.get(pk=mine.pk).state == "cancelled"
    assert Job.objects.get(pk=other.pk).state == "defined"


def test_a_file_that_is_no_submission_is_wrong_usage(
    alice: Any, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_text("[1]")
    (tmp_path / "y.json").write_text("{")

    for name in ("x.json", "y.json", "z.json"):
        assert call("job", "submit", str(tmp_path / name)).code == 2, name
