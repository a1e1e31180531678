"""The file server of panda-client: which files are kept, and which are refused."""

from __future__ import annotations

import errno
import json
import random
from typing import Any

import pytest
from django.test import Client

from jobs.models import Sandbox
from jobs.sandboxes.names import MB
from tests.panda.calls import token, token_of_a_person, told
from tests.panda.sandboxes import (
    GOOD,
    UPLOAD,
    VALIDATE,
    archive,
    footer,
    kept,
    name,
    post,
    refusal,
    upload,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("folder")]


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
