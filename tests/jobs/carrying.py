"""A grid whose movers bring files as jobs."""

from __future__ import annotations

from typing import Any

from datasets.demand import request_transfers
from datasets.models import MoverRule, Transfer
from jobs import assign, dispatch, mover, register, report
from jobs.identity import Caller, pilot_account
from jobs.models import Move
from tests.builders import (
    ADLER32,
    GUID,
    NOW,
    after,
    create_file,
    create_pilot,
    create_site,
    create_storage,
    create_vo,
    local_storage,
)


class Grid:
    """BNL has files, AGLT2 wants them, and a rule says that movers bring them."""

    def __init__(self, **rule: Any) -> None:
        self.source = create_storage("BNL_DISK", url="file:///data/bnl")
        self.site = create_site("AGLT2", vos=[create_vo()])
        create_pilot(self.site)
        self.here = local_storage(self.site)
        self.rule = MoverRule.objects.create(**(rule or {"destination": self.here}))

    def want(self, n: int = 1, **fields: Any) -> list[Transfer]:
        files = [create_file(at=[self.source], **fields) for _ in range(n)]
        request_transfers(files, self.here, now=NOW)
        return list(Transfer.objects.filter(file__in=files).order_by("pk"))

    def claim(self, now: Any = NOW) -> dict[str, Any]:
        assign.run(now)
        facts = dispatch.Facts(node="wn01", pilot_id="p1", labels=("ddm",), free_disk_mb=1000)
        key = f"k{Move.objects.count()}-{now.timestamp()}"
        claimed = dispatch.claim(
            caller=Caller.of(pilot_account(self.site)),
            facts=facts,
            key=key,
            body_sha256="b",
            now=now,
        )
        assert claimed.jobs, claimed.message
        return claimed.jobs[0]

    def say(self, job: dict[str, Any], state: str, *, now: Any = NOW, **more: Any) -> None:
        said = report.Report(
            panda_id=job["panda_id"],
            attempt_nr=job["attempt_nr"],
            lease_token=job["lease_token"],
            seq=1,
            state=state,
            **more,
        )
        report.hear(caller=Caller.of(pilot_account(self.site)), report=said, now=now)

    def finish(self, job: dict[str, Any], *, adler32: str = ADLER32) -> None:
        made = [
            report.ReportedFile(lfn=f["lfn"], guid=GUID[:-1] + "9", size=1000, adler32=adler32)
            for f in job["files"]
        ]
        self.say(job, "finished", output_files=made)
        register.run(after(seconds=1))
        mover.run(after(seconds=2))
