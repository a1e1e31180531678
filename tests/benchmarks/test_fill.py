"""The rows that the benchmarks begin with are such as the product makes."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import fill
from benchmarks.grid import Grid, make_grid
from jobs import counts, dispatch, fsck, report
from jobs.identity import Caller
from jobs.models import Job, JobFile, Node, PilotAccount, Pulse
from pandasite.base.clock import database_now
from tests.builders import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def grid() -> Grid:
    """Four sites, all manned."""
    return make_grid(4, cap=0, now=NOW)


def caller(grid: Grid, site: int) -> Caller:
    return Caller.of(PilotAccount.objects.get(site_id=grid.sites[site].pk))


def test_jobs_are_spread_over_the_sites_by_their_numbers(grid: Grid):
    fill.add_activated(10, grid)

    found = dict(Job.objects.values_list("panda_id", "computing_site__name"))

    assert found[fill.FIRST + 6] == grid.sites[2].name
    assert Counter(found.values()) == {
        place.name: n for place, n in zip(grid.sites, (3, 3, 2, 2), strict=True)
    }


def test_the_books_of_a_filled_database_agree(grid: Grid):
    fill.add_activated(8, grid)
    fill.add_not_matching(4, grid, first=fill.FIRST + 8)
    fill.add_running(8, grid, first=fill.FIRST + 12)
    fill.add_outputs(8, first=fill.FIRST + 12)

    assert fsck.check() == []
    assert sum(count.n for count in counts.read(ended_since=NOW)) == 20


def test_what_is_said_not_to_match_is_given_to_no_pilot(grid: Grid):
    fill.add_not_matching(3, grid, first=fill.FIRST)

    claimed = dispatch.claim(
        caller=caller(grid, 0), facts=facts(grid, 0), key="a", body_sha256="b", now=NOW
    )

    assert claimed.reason == "no_job"


def test_every_activated_job_fits_the_pilots(grid: Grid):
    fill.add_activated(200, grid)

    taken = [
        job["panda_id"]
        for nr in range(4)
        for job in dispatch.claim(
            caller=caller(grid, nr),
            facts=facts(grid, nr),
            key="a",
            body_sha256="b",
            n_jobs=100,
            now=NOW,
        ).jobs
    ]

    assert sorted(taken) == list(range(fill.FIRST, fill.FIRST + 200))


def test_who_knows_the_token_of_a_running_job_may_report_its_end(grid: Grid):
    fill.add_running(4, grid)
    fill.add_outputs(4)
    outputs = [
        report.ReportedFile(lfn=lfn, guid=fill.GUID, size=1, adler32="0c2a04f1")
        for lfn in fill.output_names(fill.FIRST + 1)
    ]

    answer = report.hear(
        caller=caller(grid, 1),
        report=report.Report(
            panda_id=fill.FIRST + 1,
            attempt_nr=1,
            lease_token=fill.lease_token(fill.FIRST + 1),
            seq=2,
            state="finished",
            output_files=outputs,
        ),
        now=NOW,
    )

    assert answer.state == "holding"


def test_running_jobs_are_heard_of_and_their_nodes_known(grid: Grid):
    fill.add_running(8, grid, jobs_a_node=2)

    now = database_now()

    assert Job.objects.silent_since(now).count() == 0
    assert Pulse.objects.filter(due__gt=now, heard_at__lte=now, told_at__lte=now).count() == 8
    assert Node.objects.filter(node__startswith="node", pilots=2).count() == 4


def test_every_second_task_reads_a_file_of_the_catalogue(grid: Grid):
    fill.add_jobs("defined", 8, grid, columns=fill.asks(2))
    fill.add_files(3, grid, copies=2)
    fill.add_inputs(8, files=3, alike=2)

    reading = JobFile.objects.filter(type="input").values_list("job_id", "file__lfn", "lfn")

    assert [row[0] - fill.FIRST for row in reading.order_by("job_id")] == [0, 1, 4, 5]
    assert all(known == lfn for _, known, lfn in reading)


def facts(grid: Grid, site: int) -> dispatch.Facts:
    """What a pilot of the benchmarks says."""
    import json

    from benchmarks.calls import claim_body

    said = json.loads(claim_body(grid.sites[site], 0))
    del said["site"]
    releases = tuple((r["release"], r["cmt_config"]) for r in said.pop("releases"))
    return dispatch.Facts(**said | {"labels": tuple(said["labels"])}, releases=releases)
