"""A pilot that does not care for its lease: it claims, runs, and reports when it is told to.

`python -m tests.faults.zombie URL TOKEN SITE GUID` prints the job, waits for a line, sends its
last word with that GUID for each output, and prints the status and the answer.
"""

from __future__ import annotations

import json
import sys

from tests.faults.asking import REPORT
from tests.faults.grid import Place
from tests.faults.history import History
from tests.faults.pilots import Pilot, report_body


def main(url: str, token: str, site: str, guid: str) -> None:
    pilot = Pilot(Place(name=site, pk=0, token=token), History(), url=url)
    job = pilot.claim()
    assert job is not None
    pilot.report(job, "running", seq=1)
    say(job)
    sys.stdin.readline()
    body = report_body(job, "finished", seq=2, guid=guid)
    done = pilot.asker.insist("finished", REPORT, body, key="last")
    say([done.status, done.answer])


def say(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
