"""Sums of ended jobs that are wrong are found by `manage.py fsck`, in words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs import ends
from jobs.models import ErrorCount, ErrorTotal, NodeCount, WorkflowCount
from tests.builders import NOW, after, create_job, create_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def folded(db: None) -> Iterator[None]:
    create_job("failed", exe_error_code=1, at=after(days=-1))
    create_job("failed", exe_error_code=1, node="wn1")
    ends.fold(NOW)
    yield


def test_a_wrong_sum_is_found_and_said(folded: None) -> None:
    for model in (ErrorCount, ErrorTotal):
        model.objects.filter(hour=NOW).update(n=7, busy_s=5)

    (line,) = ends.differences(10)[:1]

    assert "failed exe:1: jobs summed 8, found 2; busy s summed 5, found 0" in line


def test_totals_nodes_and_workflows_that_do_not_agree_are_found(folded: None) -> None:
    NodeCount.objects.create(hour=after(days=-2), site_id=1, node="x", finished=0, failed=0,
                             cancelled=0, lost_s=0)  # fmt: skip
    NodeCount.objects.filter(hour=NOW).update(failed=3)
    ErrorTotal.objects.filter(hour=NOW).update(n=4)
    WorkflowCount.objects.filter(hour=NOW).update(n=5)

    assert ends.differences(10) == [
        "nodes of 2009-09-17: 3 failed jobs, by their errors there are 1",
        "totals of 2009-09-17: 5 failed jobs, by their errors there are 2",
        "workflows of 2009-09-17: 5 failed jobs, by their errors there are 1",
    ]


def test_nodes_that_do_not_add_up_to_their_site_are_found(folded: None) -> None:
    NodeCount.objects.filter(node="", hour=NOW).update(failed=7)

    assert ends.differences(10) == ["sites of 2009-09-17: 7 ended jobs, by their nodes there are 1"]


def test_a_site_is_the_sum_of_its_nodes_by_the_hour_and_by_the_day(folded: None) -> None:
    create_job("finished", site=create_site("MWT2"), node="wn2")
    ends.fold(NOW)
    ends.merge_old(after(days=10))

    sums = NodeCount.objects.filter(hour__gte=after(hours=-12)).values_list("node", "finished")
    assert sorted(sums) == [("", 0), ("", 1), ("wn1", 0), ("wn2", 1)]
    assert ends.differences(10) == []
