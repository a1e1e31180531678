"""The file server of panda-client: what is kept, what is refused, and who may fetch it."""

from __future__ import annotations

import datetime as dt
import errno
import json
import random
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Sandbox
from jobs.sandboxes import archive as look
from jobs.sandboxes import needs, services, shelf
from jobs.sandboxes.names import MB
from jobs.trf.programs import MAINS, RUN, program
from pandasite.base.clock import database_now
from tests.builders import create_user
from tests.panda.calls import get, get_job, token, token_of_a_person, told, waiting_job
from tests.panda.sandboxes import UPLOAD, archive, footer, gzip_of, member, name, post, upload

pytestmark = pytest.mark.django_db
VALIDATE = "/api/v1/file_server/validate_cache_file"
TOUCH = "/api/v1/file_server/touch_cache_file"
GOOD = archive(("run.sh", b"#!/bin/sh\necho hello\n"))


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """A shelf of this test."""
    settings.PANDASITE_SANDBOXES = str(tmp_path / "sandboxes")
    settings.PANDASITE = {**settings.PANDASITE, "SANDBOX_FREE_MB": 0}
    return tmp_path / "sandboxes"


def after(now: dt.datetime, **span: float) -> dt.datetime:
    return now + dt.timedelta(**span)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refusal(answer: Any, folder: Path) -> str:
    """What the client shows; nothing of the file may be left."""
    body = told(answer)
    assert (answer.status_code, body["success"], body["data"]) == (200, False, None)
    assert not Sandbox.objects.exists()
    assert kept(folder) == []
    return str(body["message"])


def test_an_upload_is_found_again_by_its_owner_alone(folder):
    # given
    alice, bob = token_of_a_person("alice"), token_of_a_person("bob")
    size, checksum = footer(GOOD)
    ask = {"file_size": size, "checksum": checksum}
    before = told(post(VALIDATE, ask, by=alice))

    # when
    answer = upload(GOOD, name(), by=alice)

    # then
    assert before == {"success": False, "message": "NOTFOUND", "data": None}
    assert (answer.status_code, told(answer)) == (
        200, {"success": True, "message": "", "data": None},
    )  # fmt: skip
    assert (folder / name()).read_bytes() == GOOD
    assert told(post(VALIDATE, ask, by=alice)) == {
        "success": True, "message": f"FOUND:testserver:{name()}", "data": None,
    }  # fmt: skip
    assert told(post(VALIDATE, ask, by=bob))["message"] == "NOTFOUND"
    assert told(post(VALIDATE, ask | {"checksum": checksum ^ 1}, by=alice))["message"] == "NOTFOUND"


def test_the_addresses_of_old_do_the_same(folder):
    alice = token_of_a_person()
    size, checksum = footer(GOOD)

    assert upload(GOOD, name(), by=alice, path="/server/panda/putFile").content == b"True"
    checked = post(
        "/server/panda/checkSandboxFile", {"fileSize": size, "checkSum": checksum}, by=alice
    )
    assert told(checked) == {"StatusCode": 0, "fileName": name(), "message": f"FOUND:{name()}"}
    touched = post("/server/panda/touchFile", {"filename": name()}, by=alice)
    assert touched.content == b"True"


def test_the_same_again_is_no_error_and_another_content_is(folder):
    alice = token_of_a_person()
    upload(GOOD, name(), by=alice)

    assert told(upload(GOOD, name(), by=alice))["success"] is True
    other = told(upload(archive(("run.sh", b"other")), name(), by=alice))
    assert (other["success"], "is there already" in other["message"]) == (False, True)
    assert (folder / name()).read_bytes() == GOOD
    assert kept(folder) == [name()]


def test_a_name_of_somebody_else_is_refused(folder):
    upload(GOOD, name(), by=token_of_a_person("alice"))

    answer = upload(GOOD, name(), by=token_of_a_person("bob"))

    assert told(answer)["success"] is False
    assert Sandbox.objects.get().owner.username == "alice"
    assert kept(folder) == [name()]


UUID = name().removeprefix("jobO.").removesuffix(".tar.gz")


@pytest.mark.parametrize(
    "file_name",
    [
        "..", ".", "/", ".htaccess", "-rf", "x.tar.gz", "jobO.tar.gz", f"jobO.{UUID}.tgz",
        f"jobO.{UUID}.tar.gz.part", f"JOBO.{UUID}.tar.gz", f"pre_{UUID}.dat.gz",
        f"jobO.{UUID}.tar.gz\\x00", f"jobO.{UUID}%2e%2e.tar.gz", f"jobO.{'a' * 300}.tar.gz",
        f".jobO.{UUID}.tar.gz", f"jobO.{UUID.upper()}x.tar.gz", f"jobO.{UUID}\u2024.tar.gz",
        f"lib.{UUID}.tar.gz", f"jobO.{UUID}.tar.gz;x", "%2e%2e%2fetc", "schedconfig.json",
    ],
    ids=lambda text: text.replace(UUID, "U")[:24].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_a_name_that_no_sandbox_has_is_refused(folder, file_name):
    message = refusal(upload(GOOD, file_name, by=token_of_a_person()), folder)

    assert "file" in message


@pytest.mark.parametrize("path", ["../../", "/etc/", "a/../", "C:\\\\dir\\\\"])
def test_of_a_path_the_last_step_is_the_name(folder, path):
    assert told(upload(GOOD, path + name(), by=token_of_a_person()))["success"] is True
    assert kept(folder) == [name()]
    assert [p.name for p in folder.parent.iterdir()] == ["sandboxes"]


LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


def linked(path: str, target: str, kind: bytes = LINK) -> tarfile.TarInfo:
    return member(path, type=kind, linkname=target)


BAD = {
    "no gzip": b"#!/bin/sh\n",
    "empty": b"",
    "cut off": GOOD[:-9],
    "no tar": gzip_of(b"x" * 5000),
    "two gzips": GOOD + GOOD,
    "something behind": GOOD + b"x",
    "checksum": GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:],
    "bomb": gzip_of(bytes(120_000_000)),
    "up": archive(("../x", b"x")),
    "up later": archive(("a/../../x", b"x")),
    "absolute": archive(("/tmp/x", b"x")),
    "long name": archive(("a/" * 600 + "x", b"x")),
    "link up": archive(linked("l", "../x")),
    "link up from a folder": archive(linked("d/l", "../../x")),
    "link to the root": archive(linked("l", "/etc/passwd")),
    "link over a link": archive(linked("l", "."), linked("m", "l/..")),
    "behind a link": archive(linked("l", "."), ("l/x", b"x")),
    "hard link up": archive(linked("l", "../x", HARD)),
    "hard link over a link": archive(linked("l", "."), linked("h", "l/x", HARD)),
    "device": archive(member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "pipe": archive(member("pipe", type=tarfile.FIFOTYPE)),
    "sparse": archive(member("sparse", type=tarfile.GNUTYPE_SPARSE)),
}


@pytest.mark.parametrize("what", BAD)
def test_an_archive_that_is_none_or_leads_out_is_refused_and_nothing_is_left(folder, what):
    refusal(upload(BAD[what], name(), by=token_of_a_person()), folder)


def test_a_header_that_would_fill_the_memory_is_refused(folder):
    big = member("pax", type=tarfile.XHDTYPE, size=64 * MB)

    refusal(upload(archive(big), name(), by=token_of_a_person()), folder)


def test_an_archive_is_looked_through_without_being_held_in_memory(tmp_path):
    (tmp_path / "x").write_bytes(archive(*((f"f{n}", bytes(10 * MB)) for n in range(9))))
    tracemalloc.start()
    try:
        look.look_through(tmp_path / "x", most=100 * MB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 4 * MB


def test_more_members_than_may_be_are_refused(folder, monkeypatch):
    monkeypatch.setattr(look, "MEMBERS_MAX", 3)
    four = archive(*((f"f{n}", b"x") for n in range(4)))

    assert "members" in refusal(upload(four, name(), by=token_of_a_person()), folder)


@pytest.mark.parametrize(
    "good",
    [
        archive(),
        archive(("d/e/f", b"x"), linked("l", "d/e"), linked("d/e/up", "../../d/e/f")),
        archive(("f", b"x"), linked("h", "f", HARD), member("d/", type=tarfile.DIRTYPE)),
        archive((f"{'long' * 60}/f", b"x")),
    ],
    ids=["empty", "links inside", "hard link and folder", "long names"],
)
def test_links_that_stay_inside_and_long_names_are_taken(folder, good):
    assert told(upload(good, name(), by=token_of_a_person()))["success"] is True
    assert kept(folder) == [name()]


def test_what_is_larger_than_its_kind_may_be_is_refused_with_the_limit(folder, settings):
    settings.PANDASITE = {**settings.PANDASITE, "SANDBOX_JOBO_MB": 1, "SANDBOX_SOURCES_MB": 3}
    by = token_of_a_person()
    noise = random.Random(1).randbytes(2 * MB)

    message = refusal(upload(noise, name(), by=by), folder)
    assert f"at most {MB} bytes" in message
    assert f"{3 * MB} bytes" in refusal(upload(noise * 2, name(kind="sources"), by=by), folder)
    good = archive(("noise", noise))
    assert told(upload(good, name(kind="sources"), by=by))["success"] is True


def test_an_owner_has_a_quota(folder, settings):
    settings.PANDASITE = {**settings.PANDASITE, "SANDBOX_QUOTA_MB": 1}
    by = token_of_a_person()
    noise = random.Random(1).randbytes(600_000)
    upload(archive(("noise", noise)), name(1), by=by)

    answer = told(upload(archive(("other", noise)), name(2), by=by))

    assert "quota of 1048576" in answer["message"]
    assert kept(folder) == [name(1)]
    assert told(upload(archive(("a", noise)), name(3), by=token_of_a_person("bob")))["success"]


@pytest.mark.parametrize(
    ("field", "body", "kind"),
    [
        ("other", GOOD, None), ("file", b"x", "application/json"),
        ("file", b"x", "multipart/form-data"), ("file", b"", "multipart/form-data; boundary=x"),
    ],
    ids=["another field", "json", "no boundary", "no part"],
)  # fmt: skip
def test_a_body_that_is_no_upload_is_refused(folder, field, body, kind):
    by = token_of_a_person()
    if kind is None:
        answer = upload(body, name(), by=by, field=field)
    else:
        answer = Client(raise_request_exception=False).generic(
            "POST", UPLOAD, body or b"--x--\r\n", content_type=kind,
            HTTP_AUTHORIZATION=f"Bearer {by}",
        )  # fmt: skip

    refusal(answer, folder)


def test_a_pilot_and_a_stranger_send_nothing(folder):
    assert upload(GOOD, name(), by=token()).status_code == 403
    assert upload(GOOD, name(), by="f" * 64).status_code == 401
    assert kept(folder) == []


def test_a_disk_that_is_full_is_said_with_507_and_leaves_nothing(folder, monkeypatch):
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    answer = upload(GOOD, name(), by=token_of_a_person())

    assert (answer.status_code, told(answer)["success"]) == (507, False)
    assert "no room" in told(answer)["message"]
    assert (kept(folder), Sandbox.objects.count()) == ([], 0)


def test_some_room_is_left_on_the_disk_for_others(folder, settings):
    settings.PANDASITE = {**settings.PANDASITE, "SANDBOX_FREE_MB": 10_000_000}

    assert upload(GOOD, name(), by=token_of_a_person()).status_code == 507
    assert kept(folder) == []


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


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "file_size"), ({"file_size": 1}, "checksum"),
        ({"file_size": -1, "checksum": 1}, "file_size"),
        ({"file_size": 1, "checksum": 2**32}, "checksum"),
        ({"file_size": "x", "checksum": 1}, "file_size"),
    ],
    ids=["nothing", "no checksum", "negative", "too large", "text"],
)  # fmt: skip
def test_a_question_that_cannot_be_is_refused_by_its_name(values, named):
    body = told(post(VALIDATE, values, by=token_of_a_person()))

    assert (body["success"], named in body["message"]) == (False, True)
    assert json.dumps(body["data"]) == "null"
