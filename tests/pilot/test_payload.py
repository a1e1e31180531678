"""The payload: what it gets, what it may not, and what its end means."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pilot.fake_server import FakeServer
from tests.pilot.harness import LEASE_TOKEN, TOKEN, Site, with_word

PYTHON = "#!/usr/bin/env python3\n"
DOUBLE_FORK = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/bin/sleep", ["sleep", {seconds!r}])
    os._exit(0)
os.wait()
time.sleep({then})
"""


def run(
    site: Site, server: FakeServer, job: dict[str, Any], *more: str, isolation: str = "none"
) -> dict[str, Any]:
    """Run this one job; its final report."""
    server.jobs.append(job)
    ended = site.run(server, *more, isolation=isolation)
    assert ended.code == 0, ended.log
    assert TOKEN not in ended.log
    assert LEASE_TOKEN not in ended.log
    return server.final()


def test_a_segmentation_fault_is_the_payloads_error(
    server: FakeServer, site: Site, isolation: str
) -> None:
    # given
    job = site.job("kill -SEGV $$")

    # when
    final = run(site, server, job, isolation=isolation)

    # then
    assert final["state"] == "failed"
    assert final["exit_code"] == 139
    assert final["exe_error_code"] == 60010
    assert final["exe_error_diag"] == "segmentation fault"
    assert "pilot_error_code" not in final


def test_an_exit_code_is_the_payloads_error_with_its_last_words(
    server: FakeServer, site: Site
) -> None:
    # given
    job = site.job("echo first >&2; echo 'cannot open geometry' >&2; exit 3")

    # when
    final = run(site, server, job)

    # then
    assert final["exit_code"] == 3
    assert final["exe_error_code"] == 69999
    assert final["exe_error_diag"] == "exit code 3: cannot open geometry"


def test_the_command_is_no_shell_line(server: FakeServer, site: Site) -> None:
    # given
    job = site.job('for word in "$@"; do echo "<$word>"; done')
    job["job_parameters"] = "--name 'two words' $(id) ; *"

    # when
    final = run(site, server, job)

    # then the words arrive as they are
    assert final["stdout_tail"] == "<--name>\n<two words>\n<$(id)>\n<;>\n<*>\n"


def test_no_secret_is_in_reach_of_the_payload(
    server: FakeServer, site: Site, isolation: str
) -> None:
    # given a payload that looks around
    script = (
        f"env; cat ../* ../../*; {'cat ' + str(site.token_file) if isolation == 'auto' else ''}"
    )
    job = site.job(f"({script}) > HIST.1 2>&1; exit 0", outputs=("HIST.1",))

    # when
    run(site, server, job, isolation=isolation)

    # then
    seen = (site.storage / "mc08/d/HIST.1").read_text()
    assert "PANDAID=1" in seen
    assert TOKEN not in seen
    assert LEASE_TOKEN not in seen
    assert "SECRET_OF_THE_PILOT" not in seen


@pytest.mark.parametrize("isolation", ["auto"], indirect=True)
def test_an_isolated_payload_has_no_network_and_writes_only_its_folder(
    server: FakeServer, site: Site, isolation: str
) -> None:
    # given
    port = server.server_address[1]
    script = (
        f"{PYTHON}import socket, pathlib\n"
        f"try: socket.create_connection(('127.0.0.1', {port}), 1); print('connected')\n"
        "except OSError: print('no network')\n"
        f"try: pathlib.Path({str(site.storage / 'x')!r}).touch(); print('written')\n"
        "except OSError: print('read-only')\n"
        "pathlib.Path('HIST.1').touch()"
    )

    # when
    final = run(site, server, site.job(script), isolation=isolation)

    # then
    assert final["stdout_tail"] == "no network\nread-only\n"


def test_the_wall_time_limit_ends_the_payload(
    server: FakeServer, site: Site, word: str, isolation: str
) -> None:
    # given
    job = site.job(f"sleep {word}", max_cpu_count=1)

    # when
    final = run(site, server, job, isolation=isolation)

    # then
    assert final["pilot_error_code"] == 1213
    assert "the limit is 1 s" in final["pilot_error_diag"]
    assert with_word(word) == []


def test_the_memory_limit_ends_the_payload(server: FakeServer, site: Site) -> None:
    # given a payload of 300 MB in a slot of 60, and a job that asked for 50
    job = site.job(f"{PYTHON}x = b'x' * 300_000_000\nimport time; time.sleep(60)")

    # when
    final = run(site, server, job | {"min_ram_count": 50}, "--memory", "60")

    # then
    assert final["pilot_error_code"] == 1235
    assert "the limit is 120 MB" in final["pilot_error_diag"]
    assert final["max_rss_mb"] > 120


def test_a_file_over_the_disk_limit_ends_the_payload(server: FakeServer, site: Site) -> None:
    # given
    job = site.job("exec head -c 5000000 /dev/zero > big", max_disk_count=1)

    # when
    final = run(site, server, job)

    # then
    assert final["pilot_error_code"] == 1124
    assert "SIGXFSZ" in final["pilot_error_diag"]


def test_cpu_time_and_memory_of_all_its_processes_are_reported(
    server: FakeServer, site: Site
) -> None:
    # given a second of work in a child of a child
    burn = 'import time\nwhile time.process_time() < 1.1: pass\nx = b"x" * 100_000_000'
    job = site.job(f"python3 -c '{burn}' & wait")

    # when
    final = run(site, server, job)

    # then
    assert final["cpu_consumption_time"] >= 1
    assert final["max_rss_mb"] >= 100


def test_what_the_payload_leaves_running_is_ended(
    server: FakeServer, site: Site, word: str, isolation: str
) -> None:
    # given a payload that forks twice, makes a session, and ends
    job = site.job(PYTHON + DOUBLE_FORK.format(seconds=word, then=0))

    # when
    final = run(site, server, job, isolation=isolation)

    # then
    assert final["state"] == "finished"
    assert with_word(word) == []


def test_a_job_that_leaves_the_release_open_runs_in_one_that_has_its_program(
    server: FakeServer, site: Site
) -> None:
    # given a newer release without the program
    (site.software / "Atlas-15.0.0" / "x86_64-linux-py3").mkdir(parents=True)
    job = site.job("echo $ATLAS_RELEASE $CMTCONFIG")
    open_ = [{"atlas_release": ""}, {"cmt_config": ""}, {"atlas_release": "", "cmt_config": ""}]

    # when
    finals = site.run_all(server, [job | change for change in open_])

    # then
    assert [one["stdout_tail"] for one in finals] == ["Atlas-14.5.0 x86_64-linux-py3\n"] * 3


CANNOT_START: list[tuple[dict[str, Any], int, str]] = [
    ({"atlas_release": "Atlas-15.0.0"}, 1211, "is not installed here"),
    ({"cmt_config": "i686-slc4-gcc34-opt"}, 1211, "is not installed here"),
    ({"atlas_release": "", "cmt_config": "other"}, 1211, "any release/other is not installed here"),
    ({"transformation": "nothing.py"}, 1346, "nothing.py is not in Atlas-14.5.0/x86_64"),
    ({"transformation": "plain.sh"}, 1305, "plain.sh is not executable"),
    ({"transformation": "nobody.sh"}, 1305, "cannot start nobody.sh"),
    ({"transformation": "../../../../bin/true"}, 1319, "leads elsewhere"),
    ({"job_parameters": "--name 'unfinished"}, 1349, "No closing quotation"),
    ({"max_cpu_count": -1}, 1319, "max_cpu_count"),
]


def test_a_job_that_cannot_be_started_fails_with_the_reason(server: FakeServer, site: Site) -> None:
    # given
    (site.release / "plain.sh").write_text("#!/bin/sh\n")
    site.transformation("#!/no/such/interpreter\n", name="nobody.sh")

    # when
    finals = site.run_all(server, [site.job() | change for change, _, _ in CANNOT_START])

    # then
    for final, (_, code, words) in zip(finals, CANNOT_START, strict=True):
        assert final["state"] == "failed"
        assert final["pilot_error_code"] == code
        assert words in final["pilot_error_diag"]
        assert "exit_code" not in final


def test_wild_output_arrives_as_clean_text(server: FakeServer, site: Site) -> None:
    # given control characters, broken UTF-8 and more than the tail holds
    script = "head -c 20000 /dev/zero | tr '\\0' x; printf '\\n\\033[31m\\000\\377ok\\r\\n'"

    # when
    final = run(site, server, site.job(script))

    # then
    said = final["stdout_tail"]
    assert said.endswith("x\n\ufffd[31m\ufffd\ufffdok\n")
    assert len(said) < 16 * 1024
