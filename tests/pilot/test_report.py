"""The final report: handed in until it is acknowledged, and not more often than that."""

from __future__ import annotations

import json
from typing import Any

from tests.pilot.fake_server import DROP_ANSWER, DROP_UNSEEN, REPORT, FakeServer, is_final, serving
from tests.pilot.harness import LEASE_TOKEN, TOKEN, Site, end_of, eventually, kill


def state_of(site: Site) -> dict[str, Any]:
    """The state on disk of job 1.1, if there is one."""
    try:
        return dict(json.loads((site.workdir / "1.1" / "state.json").read_text()))
    except FileNotFoundError:
        return {}


def test_reports_are_numbered_and_carry_the_lease(server: FakeServer, site: Site) -> None:
    # given
    server.jobs.append(site.job("echo hello; sleep 1"))

    # when
    site.run(server)

    # then
    assert "hello\n" in [report["stdout_tail"] for report in server.reports[:-1]]
    numbers = [report["seq"] for report in server.reports]
    assert numbers == sorted(set(numbers))
    assert server.states()[0] == "starting"
    assert server.states().count("running") >= 2
    assert server.states()[-1] == "finished"
    assert any(report["max_rss_mb"] for report in server.reports[:-1])
    assert {report["lease_token"] for report in server.reports} == {LEASE_TOKEN}


def test_a_final_report_is_sent_until_it_is_acknowledged(server: FakeServer, site: Site) -> None:
    # given a server that loses the final report, then its answer, then says 503
    server.jobs.append(site.job(heartbeat_seconds=60))
    server.faults[REPORT].extend([DROP_UNSEEN] * 3)
    server.faults[REPORT].append(DROP_ANSWER)
    server.faults[REPORT].append((503, {"Retry-After": "0"}, {}))

    # when
    ended = site.run(server)

    # then what arrived twice is the same report
    assert ended.code == 0
    finals = [json.dumps(one, sort_keys=True) for one in server.finals()]
    assert len(finals) >= 1
    assert len(set(finals)) == 1
    assert "acknowledged" in ended.log


def test_a_final_report_outlives_a_restart_of_the_server(site: Site) -> None:
    # given a server that goes away while the payload runs
    with serving() as first:
        port = first.server_address[1]
        first.jobs.append(site.job("sleep 1"))
        pilot = site.start(first, "--once")
        eventually(first.heard("running"))

    # when it comes back at the same address
    eventually(lambda: state_of(site).get("final"))
    with serving(port) as second:
        ended = end_of(pilot)

    # then
    assert ended.code == 0
    assert second.final()["state"] == "finished"


def test_a_pilot_that_died_before_the_answer_hands_in_at_its_next_start(
    server: FakeServer, site: Site
) -> None:
    # given a pilot that is killed while nobody takes its final report
    server.jobs.append(site.job("echo one > HIST.1", outputs=("HIST.1",)))
    server.is_down_for = is_final
    pilot = site.start(server)
    eventually(lambda: state_of(site).get("final"))
    kill(pilot)
    kept = state_of(site)["final"]
    assert (site.workdir / "1.1" / "state.json").stat().st_mode & 0o777 == 0o600

    # when
    server.is_down_for = lambda body: False
    server.jobs.append(site.job(panda_id=2))
    ended = site.run(server)

    # then the very same report arrives (one that the dead pilot sent may, too), and a next job
    *first, second = server.finals()
    assert first and all(one == kept for one in first)
    assert second["panda_id"] == 2
    assert site.leftovers() == []
    assert TOKEN not in ended.log
    assert LEASE_TOKEN not in ended.log


def test_a_living_pilots_job_is_no_leftover(server: FakeServer, site: Site) -> None:
    # given two pilots in one work folder
    server.jobs.append(site.job("sleep 1.5"))
    first = site.start(server, "--once")
    eventually(server.heard("running"))

    # when the second starts and works
    server.jobs.append(site.job(panda_id=2, transformation=site.transformation(":", name="b.sh")))
    site.run(server)

    # then both jobs end well
    assert end_of(first).code == 0
    assert {one["panda_id"]: one["state"] for one in server.finals()} == {
        1: "finished",
        2: "finished",
    }


def test_a_final_report_of_a_lost_lease_is_dropped(server: FakeServer, site: Site) -> None:
    # given a lease that is lost between the last beat and the report
    server.jobs.append(site.job(heartbeat_seconds=60))
    server.is_down_for = is_final
    pilot = site.start(server, "--once")
    eventually(lambda: state_of(site).get("final"))

    # when
    server.stale.add(1)
    server.is_down_for = lambda body: False

    # then it is said once
    ended = end_of(pilot)
    assert ended.code == 0
    assert len(server.finals()) == 1
    assert "dropped (409 stale_lease" in ended.log
    assert site.leftovers() == []


def test_a_refused_report_is_replaced_by_a_bare_failure(server: FakeServer, site: Site) -> None:
    # given
    server.jobs.append(site.job())
    server.refuses = lambda body: body["state"] == "finished"

    # when
    site.run(server)

    # then
    full, bare = server.finals()
    assert bare["seq"] == full["seq"] + 1
    assert bare["state"] == "failed"
    assert bare["pilot_error_code"] == 1319


def test_a_broken_job_report_is_no_error(server: FakeServer, site: Site) -> None:
    # given
    server.jobs.append(site.job("echo '{broken' > jobReport.json"))

    # when
    ended = site.run(server)

    # then
    assert server.final()["state"] == "finished"
    assert "jobReport.json cannot be read" in ended.log
