"""A job in the archive is killed, reported on and read like any other that has ended."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import ProtectedError

from brokerage.models import Site
from jobs import lease, services
from jobs.models import AnyJob, BrokerageDecision, Job, PilotAccount, Task
from pandasite.base.errors import Conflict, NotThere
from tests.api.calls import KILL, POSTS, SUBMIT, person, send
from tests.builders import (
    LEASE_TOKEN,
    NOW,
    create_dataset,
    create_file,
    create_job,
    create_pilot_account,
    create_site,
    create_storage,
    create_user,
    create_vo,
    put_away,
)
from tests.jobs.asking import say
from tests.jobs.shelves import archived, whole

pytestmark = pytest.mark.django_db


def finished(site: Site, **columns: Any) -> Job:
    """A job that its pilot has brought to its end, in the archive."""
    held = {"lease_sha256": lease.fingerprint(LEASE_TOKEN), "attempt_nr": 1, "report_seq": 3}
    job = create_job("finished", site=site, **held | {"verdict": "finished"} | columns)
    put_away()
    return job


# -- pilots ------------------------------------------------------------------------------------


def test_a_last_word_that_is_repeated_is_answered_again(site: Site, pilots: PilotAccount) -> None:
    job = finished(site)
    before = whole(job.pk)

    answer = say(pilots, job.pk, "finished", seq=3)

    assert (answer.state, answer.command, answer.replayed) == ("finished", None, True)
    assert whole(job.pk) == before


def test_another_last_word_is_refused(site: Site, pilots: PilotAccount) -> None:
    job = finished(site)

    with pytest.raises(Conflict) as refusal:
        say(pilots, job.pk, "failed", seq=4)

    assert refusal.value.code == "already_final"
    assert refusal.value.extra["command"] == "tobekilled"


@pytest.mark.parametrize(
    ("said", "code"), [({"attempt_nr": 2}, "stale_attempt"), ({"lease_token": "x"}, "stale_lease")]
)
def test_a_word_without_the_lease_is_refused(
    said: dict[str, Any], code: str, site: Site, pilots: PilotAccount
) -> None:
    job = finished(site)

    with pytest.raises(Conflict) as refusal:
        say(pilots, job.pk, "finished", **said)

    assert refusal.value.code == code


def test_to_pilots_of_another_site_it_is_not_there(site: Site) -> None:
    job = finished(site)

    with pytest.raises(NotThere):
        say(create_pilot_account(create_site("MWT2")), job.pk, "finished", seq=3)


# -- people ------------------------------------------------------------------------------------


def test_it_cannot_be_killed(site: Site) -> None:
    job = finished(site)

    with pytest.raises(Conflict, match="finished already"):
        services.kill(job.pk, actor="alice", reason="x", now=NOW)
    answer = send(person(), POSTS[3], KILL | {"panda_ids": [job.pk]})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_final")


def test_a_job_that_never_was_is_still_not_there() -> None:
    with pytest.raises(NotThere):
        services.kill(1, actor="alice", reason="x", now=NOW)


def test_the_rest_door_shows_it_as_before(site: Site) -> None:
    task = Task.objects.create(name="t1", owner=create_user(), created_at=NOW)
    dataset, file = create_dataset("mc09.HIST"), create_file(at=[create_storage()])
    decision = BrokerageDecision.objects.create(at=NOW, site="AGLT2", n_jobs=1, detail={"a": 1})
    job = create_job(
        "failed", site=site, task=task, inputs=[file], outputs=["H"], dataset=dataset,
        decision=decision, pilot_error_code=1099,
    )  # fmt: skip
    create_job("running", site=site)
    addresses = [
        f"/rest/v1/jobs/{job.pk}",
        "/rest/v1/jobs",
        "/rest/v1/jobs?state=failed&site=AGLT2&cloud=US&task=t1&label=managed",
        f"/rest/v1/jobs?before={job.pk + 1}&limit=1",
    ]
    before = [person().get(address).json() for address in addresses]

    put_away()

    assert archived() == [job.pk]
    assert [person().get(address).json() for address in addresses] == before


def test_a_list_goes_on_from_one_side_to_the_other(site: Site) -> None:
    jobs = [create_job(state, site=site).pk for state in ("finished", "running") * 3]
    put_away()

    listed: list[int] = []
    before: dict[str, int] = {}
    while True:
        page = person().get("/rest/v1/jobs", {"limit": 2, **before}).json()
        listed += [job["panda_id"] for job in page["jobs"]]
        if page["before"] is None:
            break
        before = {"before": page["before"]}

    assert listed == jobs[::-1]


def test_a_repeated_submission_tells_how_its_jobs_ended() -> None:
    create_vo()
    first = send(person(), POSTS[2], SUBMIT, HTTP_IDEMPOTENCY_KEY="k").json()["jobs"]
    services.kill(first[0]["panda_id"], actor="alice", reason="x", now=NOW)
    put_away()

    again = send(person(), POSTS[2], SUBMIT, HTTP_IDEMPOTENCY_KEY="k").json()

    assert again == {"jobs": [first[0] | {"state": "cancelled"}], "replayed": True}


def test_its_decision_can_be_explained(site: Site) -> None:
    job, out = finished(site), StringIO()

    call_command("explain_job", str(job.pk), stdout=out)

    assert f"job {job.pk} is finished" in out.getvalue()


def test_what_it_names_cannot_be_deleted(site: Site) -> None:
    finished(site)

    for row in (site, AnyJob.objects.get().owner, AnyJob.objects.get().vo):
        with pytest.raises(ProtectedError):
            row.delete()
