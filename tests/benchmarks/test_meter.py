"""CPU and memory of process trees."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.meter import (
    LOAD,
    MB,
    Meter,
    Usage,
    by_cpu,
    family,
    memory_mb,
    peak_mb,
    tree_cpu,
)

BUSY = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}]); input()"


def test_the_work_of_children_that_have_ended_is_in_the_account_of_their_parent():
    with subprocess.Popen(
        [sys.executable, "-c", f"{PARENT.removesuffix('; input()')}; print(); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()  # its child has ended

        used = tree_cpu(parent.pid)
        parent.communicate(b"\n")

    assert used >= 0.2


def test_a_meter_counts_from_its_making_on():
    meter = Meter(dict)

    used = meter.read()

    assert used.seconds >= 0
    assert set(used.cpu) == {LOAD}


def test_the_load_tool_is_not_counted_as_server():
    usage = Usage(seconds=2.0, cpu={"web": 1.0, "postgres": 0.5, LOAD: 0.4}, machine=3.9)

    assert usage.cores == 0.75
    us = {"web": 1000.0, "postgres": 500.0, LOAD: 400.0}
    assert usage.per(1000) == us | {"server": 1500.0, "all": 1900.0}
    assert usage.foreign == 1.0
    assert usage.per(0) == {}


def test_a_peak_is_that_of_the_program_and_not_of_who_started_it():
    ours = bytearray(64 * MB)  # all of it is written to
    program = "held = bytearray(b'x' * (32 * 2**20)); del held; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()

        peak = peak_mb(child.pid)
        child.communicate(b"\n")

    assert 32 < peak < 32 + len(ours) / MB
    assert peak_mb(child.pid) == 0


def test_memory_is_that_of_a_process_and_its_children():
    found = memory_mb(os.getpid())

    assert found[0] * MB > 1_000_000


def test_a_process_that_has_gone_has_no_family():
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()

    assert family(gone.pid) == []
    assert tree_cpu(gone.pid) == 0.0


def test_a_ratio_by_cpu_compares_all_that_was_used():
    plain, ours = {"postgres": 90.0, "all": 100.0}, {"web": 300.0, "all": 400.0}

    assert by_cpu(plain, ours) == 0.25
    assert by_cpu(plain, {}) is None
