"""The forms for tasks: the engine judges, and each fault stands beside its field."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from jobs.models import Tag, Task
from pandasite.base.models import AuditLine
from tests.builders import (
    NOW,
    after,
    create_cloud,
    create_dataset,
    create_file,
    create_site,
    create_transformation,
    create_user,
    create_vo,
    manned_site,
)

pytestmark = pytest.mark.django_db
SEND = "/task-requests/send"
EVGEN = {
    "kind": "evgen", "name": "mc09.evgen", "vo": "atlas", "transformation": "evgen.py",
    "prod_source_label": "user", "events": "1000", "events_per_job": "100", "scouts": "yes",
    "job_parameters": "--events ${MAXEVENTS}", "act": "preview",
}  # fmt: skip
SUBMIT = EVGEN | {"act": "submit", "reason": "for the note"}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request has a moment of its own."""
    seconds = itertools.count()
    monkeypatch.setattr("monitor.asking.views.database_now", lambda: after(seconds=next(seconds)))


@pytest.fixture
def alice(client: Client) -> Any:
    create_vo()
    user = create_user("alice")
    client.force_login(user)
    return user


def faults(answer: Any) -> dict[str, str]:
    """The words beside each field of a page."""
    found = re.findall(
        r'<ul class="errorlist[^"]*" id="id_(\w+)_error"><li>(.*?)</li>', answer.text
    )
    return dict(found)


def value(answer: Any, name: str) -> str:
    """What a field of a page has in it."""
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', answer.text)
    assert tag, name
    found = re.search(r'value="([^"]*)"', tag[0])
    return found[1] if found else ""


def test_a_preview_tells_how_many_jobs_and_which_clouds_would_take_them(
    client: Client, alice: Any
) -> None:
    # given
    manned_site("BNL", cloud=create_cloud("US"))
    create_site("LYON", cloud=create_cloud("FR"))
    # when
    answer = client.post(SEND, EVGEN)
    # then
    assert answer.status_code == 200
    assert "10 jobs, of 100 events each" in answer.text
    assert "The first 5 jobs are scouts" in answer.text
    us, fr = answer.text.index('/clouds/US/"'), answer.text.index('/clouds/FR/"')
    assert us < fr and "BNL would be chosen" in answer.text[us:fr]
    assert "does not" in answer.text[fr:] and "no pilot" in answer.text[fr:]
    assert not Task.objects.exists() and not AuditLine.objects.exists()


def test_a_preview_of_production_tells_the_chance_of_each_cloud(client: Client, alice: Any) -> None:
    alice.user_permissions.add(Permission.objects.get(codename="submit_production"))
    create_cloud("US", mc_share=3)
    create_cloud("FR", mc_share=1)
    create_cloud("DE", status="offline", status_reason="power cut")
    production = EVGEN | {"prod_source_label": "managed", "processing_type": "evgen"}

    text = " ".join(client.post(SEND, production).text.split())
    named = client.post(SEND, production | {"cloud": "US"}).text

    table = text[text.index("Which cloud it would be given to") :]
    us, fr, de = (table.index(f'/clouds/{name}/"') for name in ("US", "FR", "DE"))
    assert us < fr < de
    assert "75 %" in table[us:fr] and "its share 3" in table[us:fr]
    assert "25 %" in table[fr:de]
    assert "the cloud is offline (power cut)" in table[de:]
    assert "Which cloud it would be given to" not in named
    assert not Task.objects.exists()


def test_a_preview_of_a_task_with_input_cuts_its_files(client: Client, alice: Any) -> None:
    # given
    dataset = create_dataset("mc09.EVNT")
    for _ in range(5):
        create_file(dataset=dataset)
    asked = {"kind": "generic", "inputs": "mc09.EVNT", "files_per_job": "2", "events": ""}
    # when
    answer = client.post(SEND, EVGEN | asked | {"events_per_job": ""})
    # then
    assert faults(answer) == {}
    assert "3 jobs, for 5 files that its input has by now" in answer.text


def test_a_task_is_submitted_once_with_an_audit_line_however_often_it_is_sent(
    client: Client, alice: Any
) -> None:
    first, again = client.post(SEND, SUBMIT), client.post(SEND, SUBMIT)

    task = Task.objects.get()
    assert first.headers["Location"] == again.headers["Location"] == f"/tasks/{task.pk}/"
    assert (task.owner, task.state, task.events) == (alice, "registered", 1000)
    assert task.spec["outputs"] == [
        {"dataset": "mc09.evgen.OUT", "scope": "user.alice", "lfn": "mc09.evgen._${SN}.root"}
    ]
    line = AuditLine.objects.get()
    assert (line.action, line.subject, line.reason) == (
        "task_request",
        f"task {task.pk}",
        "for the note",
    )


def test_each_wrong_field_says_so_beside_it_and_keeps_what_was_said(
    client: Client, alice: Any
) -> None:
    # given
    create_transformation("evgen.py")
    wrong = {
        "vo": "atals", "transformation": "evgn.py", "memory_mb": "-1", "core_count": "0",
        "outputs": "a b", "events": "",
    }  # fmt: skip
    # when
    lines = client.post(SEND, EVGEN | wrong)
    ranges = client.post(SEND, EVGEN | wrong | {"outputs": ""})
    good = {"outputs": "", "memory_mb": "", "core_count": ""}
    names = client.post(SEND, EVGEN | wrong | good)
    kinds = client.post(SEND, EVGEN | {"events": "many", "reason": "x" * 300})
    # then
    assert {a.status_code for a in (lines, ranges, names, kinds)} == {400}
    assert faults(lines).keys() == {"outputs"}
    assert faults(ranges).keys() == {"memory_mb", "core_count"}
    assert faults(names).keys() == {"vo", "transformation", "events"}
    assert "nearest: evgen.py" in faults(names)["transformation"]
    assert faults(kinds).keys() == {"events", "reason"}
    assert value(names, "vo") == "atals"
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"prod_source_label": "managed"}, "prod_source_label"),
        ({"priority": "5000"}, "priority"),
        ({"working_group": "higgs"}, "working_group"),
        ({"tag": "nosuch"}, "tag"),
        ({"reason": "", "act": "submit"}, "reason"),
        ({"parent": "nobody"}, "parent"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_this_person_may_not_ask_for_stands_beside_its_field(
    client: Client, alice: Any, said: dict[str, str], place: str
) -> None:
    answer = client.post(SEND, SUBMIT | said)

    assert answer.status_code == 400
    assert faults(answer).keys() == {place}
    assert not Task.objects.exists()


def test_with_the_production_role_a_form_starts_as_production(client: Client, alice: Any) -> None:
    before = client.get("/task-requests/new/?kind=evgen")
    alice.user_permissions.add(Permission.objects.get(codename="submit_production"))

    after = client.get("/task-requests/new/?kind=evgen")

    assert value(before, "prod_source_label") == "user"
    assert value(after, "prod_source_label") == "managed"
    assert value(after, "vo") == "atlas"
    assert client.post(SEND, SUBMIT | {"prod_source_label": "managed"}).status_code == 302


def test_a_name_that_stands_for_another_request_is_said_beside_it(
    client: Client, alice: Any
) -> None:
    client.post(SEND, SUBMIT)

    answer = client.post(SEND, SUBMIT | {"events": "2000"})

    assert answer.status_code == 409
    assert "stands for another request" in faults(answer)["name"]


def test_a_tag_says_what_the_form_leaves_out(client: Client, alice: Any) -> None:
    # given
    Tag.objects.create(
        name="e1", transformation="gen.py", job_parameters="--x", made_by="bob", created_at=NOW
    )
    start = client.get("/task-requests/new/?kind=evgen&tag=e1")
    assert (value(start, "tag"), value(start, "transformation")) == ("e1", "")
    # when
    said = {"tag": "e1", "transformation": "", "job_parameters": ""}
    client.post(SEND, SUBMIT | said)
    other = client.post(SEND, SUBMIT | said | {"name": "b", "transformation": "evgen.py"})
    # then
    task = Task.objects.get()
    assert (task.transformation, task.tag) == ("gen.py", "e1")
    assert "not that of the tag e1" in faults(other)["transformation"]


def test_a_test_beam_task_names_particle_energy_and_run(client: Client, alice: Any) -> None:
    beam = {"kind": "ctbsim", "particle": "pi+", "energy_gev": "100.5", "run": "2102355"}

    client.post(SEND, SUBMIT | beam)

    said = Task.objects.get().spec["job_parameters"]
    assert said == "--particle pi+ --energy 100.5 --run 2102355 --events ${MAXEVENTS}"


def test_outputs_are_merged_when_the_form_says_how(client: Client, alice: Any) -> None:
    merge = {
        "kind": "generic", "merge_transformation": "merge.py", "merge_files_per_job": "5",
        "merge_output": "mc09.merged mc09 M._${SN}.root",
    }  # fmt: skip

    lacking = client.post(SEND, SUBMIT | merge | {"merge_output": ""})
    wrong = client.post(SEND, SUBMIT | merge | {"merge_output": "mc09.m mc09 M.root"})
    client.post(SEND, SUBMIT | merge)

    assert faults(lacking).keys() == faults(wrong).keys() == {"merge_output"}
    assert Task.objects.get().spec["merge"]["dataset"] == "mc09.merged"


def test_a_stranger_is_sent_to_the_login_and_an_unknown_field_is_refused(
    client: Client, db: None
) -> None:
    assert "Log in" in client.get("/task-requests/new/").text
    assert client.post(SEND, SUBMIT).headers["Location"].startswith("/login/")
    client.force_login(create_user())
    assert client.post(SEND, SUBMIT | {"colour": "red"}).status_code == 400
    assert client.get("/task-requests/new/?kind=csc").status_code == 400
    assert client.get("/task-requests/new/?colour=red").status_code == 400
