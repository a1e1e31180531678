"""What the log says of calls of PanDA's own addresses."""

from __future__ import annotations

import logging

import pytest

from tests.panda.calls import GET_JOB, form, token

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "values", "status", "problem"),
    [
        ("/server/panda/getJob", GET_JOB | {"mem": "much"}, 400, "not_an_integer"),
        ("/server/panda/getStatus", {"ids": "x"}, 400, "not_an_integer"),
        ("/api/v1/pilot/update_job", {}, 400, "job_id_required"),
        ("/server/panda/nonsense", {}, 403, None),
    ],
)
def test_a_call_that_is_refused_leaves_one_line_with_its_problem(
    path, values, status, problem, caplog
):
    by = token()
    caplog.clear()

    with caplog.at_level(logging.INFO):
        assert form(path, values, by=by).status_code == status

    (line,) = [record.msg for record in caplog.records]
    assert (line["code"], line.get("problem")) == (status, problem)
