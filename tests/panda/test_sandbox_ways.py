"""Who may fetch a sandbox, what a job gets of it, and how long it is kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Sandbox
from jobs.sandboxes import needs, services, shelf
from jobs.trf.programs import MAINS, RUN, program
from pandasite.base.clock import database_now
from tests.builders import create_user
from tests.panda.calls import get, get_job, token, token_of_a_person, told, waiting_job
from tests.panda.sandboxes import (
    GOOD,
    TOUCH,
    VALIDATE,
    archive,
    footer,
    kept,
    name,
    post,
    upload,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("folder")]


def after(now: dt.datetime, **span: float) -> dt.datetime:
    return now + dt.timedelta(**span)


# -- fetching ----------------------------------------------------------------------------------


def with_key(path: str, key: str) -> Any:
    return Client(raise_request_exception=False).get(path, HTTP_X_SANDBOX_KEY=key)


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_sandbox_is_fetched_by_its_owner_and_with_a_key_and_by_nobody_else(folder):
    # given
    alice = token_of_a_person("alice")
    upload(GOOD, name(), by=alice)
    path, now = f"/cache/{name()}", database_now()
    key = needs.key(name(), until=after(now, minutes=1))

    # then
    assert content(get(path, by=alice)) == GOOD
    assert content(with_key(path, key)) == GOOD
    other = get(path, by=token_of_a_person("bob"))
    missing = get(f"/cache/{name(9)}", by=alice)
    assert (other.status_code, missing.status_code) == (404, 404)
    assert other.json()["message"] == missing.json()["message"].replace(name(9), name())
    assert get(path, by=token()).status_code == 404
    assert get(path).status_code == 401
    assert get("/cache/secrets.json", by=alice).status_code == 404


@pytest.mark.parametrize("key", ["x", ".", "ffffffff.", "zz.00", "\u00e9.x", "{old}", "{other}"])
def test_a_key_that_is_wrong_or_over_opens_nothing(folder, key):
    upload(GOOD, name(), by=token_of_a_person())
    now = database_now()
    old = needs.key(name(), until=after(now, minutes=-1))
    other = needs.key(name(2), until=after(now, minutes=1))

    answer = with_key(f"/cache/{name()}", key.format(old=old, other=other))

    assert answer.status_code == 401


@pytest.mark.parametrize("trf", MAINS)
def test_a_transformation_is_fetched_by_everybody(trf):
    answer = Client().get(f"/trf/user/{trf}")

    assert answer.status_code == 200
    assert answer.content == program(trf).text
    assert answer.content.startswith(b"#!/usr/bin/env python3\n")
    compile(answer.content, trf, "exec")


def test_another_transformation_is_not_there():
    assert Client().get("/trf/user/runGen-00-00-99").status_code == 404


# -- jobs --------------------------------------------------------------------------------------


def test_a_pilot_of_panda_gets_the_address_of_the_program_and_a_key_for_the_sandbox(folder):
    # given
    alice = create_user("alice")
    upload(GOOD, name(), by=token_of_a_person("alice"))
    waiting_job(transformation=RUN, job_parameters=f'-a {name()} -p "ls"', owner=alice)

    # when
    job = get_job(by=token())

    # then
    assert job["transformation"] == f"http://testserver/trf/user/{RUN}"
    option, key, rest = job["jobPars"].split(" ", 2)
    assert (option, rest) == ("--cacheKey", f'-a {name()} -p "ls"')
    assert content(with_key(f"/cache/{name()}", key)) == GOOD


def test_a_job_of_somebody_else_gets_no_key(folder):
    upload(GOOD, name(), by=token_of_a_person("alice"))
    waiting_job(transformation=RUN, job_parameters=f"-a {name()}", owner=create_user("bob"))

    assert get_job(by=token())["jobPars"] == f"-a {name()}"


def test_sites_may_be_told_another_address_of_the_programs(settings):
    settings.PANDASITE_TRF_URL = "http://elsewhere:25080/trf/user"
    waiting_job(transformation=RUN, job_parameters="-p ls")

    assert get_job(by=token())["transformation"] == f"http://elsewhere:25080/trf/user/{RUN}"


# -- retention ---------------------------------------------------------------------------------


def test_what_nobody_has_used_for_long_goes_and_what_is_used_stays(folder):
    # given
    alice = token_of_a_person("alice")
    for number in (1, 2):
        upload(archive((f"f{number}", b"x")), name(number), by=alice)
    later = after(database_now(), days=20)
    services.touch([name(1)], now=later)

    # when
    services.forget(after(later, days=11))

    # then
    assert list(Sandbox.objects.values_list("name", flat=True)) == [name(1)]
    assert kept(folder) == [name(1)]


def test_files_without_a_row_go_after_a_day_and_others_stay(folder):
    # given a part, a sandbox of an account that is gone, and what is not ours
    upload(GOOD, name(), by=token_of_a_person())
    User.objects.get(username="alice").delete()
    for stray in (f".{'a' * 32}.part", "README"):
        (folder / stray).write_text("x")

    # when
    services.forget(database_now())
    young = kept(folder)
    services.forget(after(database_now(), days=2))

    # then
    assert len(young) == 3
    assert kept(folder) == ["README"]


def test_a_use_is_noted_once_an_hour(folder):
    upload(GOOD, name(), by=token_of_a_person())
    now = database_now()

    assert services.touch([name()], now=after(now, minutes=59)) == 0
    assert services.touch([name()], now=after(now, minutes=61)) == 1
    assert told(post(TOUCH, {"file_name": name()}, by=token_of_a_person("bob")))["success"] is False


def test_a_row_whose_file_is_gone_is_not_found_and_can_be_sent_again(folder):
    alice = token_of_a_person()
    upload(GOOD, name(), by=alice)
    shelf.remove(name())
    size, checksum = footer(GOOD)

    assert told(post(VALIDATE, {"file_size": size, "checksum": checksum}, by=alice))["message"] == (
        "NOTFOUND"
    )
    assert get(f"/cache/{name()}", by=alice).status_code == 404
    assert told(upload(GOOD, name(), by=alice))["success"] is True
    assert kept(folder) == [name()]
