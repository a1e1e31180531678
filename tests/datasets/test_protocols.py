"""Every kind of storage against a real server: the same promises, kept by each."""

import pathlib
import subprocess
import sys

import pytest

from datasets import storage
from datasets.storage import Address, StorageError, opening
from datasets.storage.listing import entries
from tests.datasets import servers
from tests.datasets.copies import KINDS, PATH, content, facts, got, order, put


@pytest.mark.parametrize("size", [0, 1, 5_000_001], ids=["empty", "byte", "5MB"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_goes_there_and_back_and_is_the_same(places, tmp_path, kind, size):
    body, start = content(size), storage.open_place(f"file://{tmp_path}")
    put(start, body)

    proof = storage.bring(order(start, places[kind], body)).proof
    start.remove(PATH)
    storage.bring(order(places[kind], start, body))

    assert proof == ("server" if kind in ("s3", "root") else "re-read")
    assert got(start) == body
    assert got(places[kind], offset=size // 2) == body[size // 2 :]
    assert places[kind].size(PATH) == size


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_sees_a_file_before_it_has_its_name(places, kind):
    body = content(1000)
    arrival = places[kind].arrive(PATH, tag="t1.1", expected=facts(body))
    arrival.fill(iter([body]))
    arrival.prove(facts(body))

    assert places[kind].size(PATH) is None
    arrival.publish()
    assert places[kind].size(PATH) == 1000
    arrival.discard()
    assert places[kind].size(PATH) == 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_newer_file_takes_the_place_of_the_older(places, kind):
    put(places[kind], b"older")
    put(places[kind], b"newer and longer")

    assert got(places[kind]) == b"newer and longer"


@pytest.mark.parametrize("kind", ["file", "dav", "davs", "root"])
def test_what_a_killed_copy_has_left_is_removed_by_the_next(places, kind):
    body = content(100)
    left = places[kind].arrive(PATH, tag="t1.1", expected=facts(body))
    left.fill(iter([body]))

    places[kind].discard_old(PATH)

    with pytest.raises(StorageError):
        left.publish()
    assert places[kind].size(PATH) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_there_is_missed_by_a_storage_that_answers(places, kind):
    put(places[kind], b"its folder is there")
    places[kind].remove(PATH)
    places[kind].remove(PATH)

    with pytest.raises(storage.FileMissing):
        got(places[kind])
    assert places[kind].size(PATH) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_broke_off_leaves_nothing(places, tmp_path, kind):
    body, start = content(3_000_000), storage.open_place(f"file://{tmp_path}")
    put(start, body)

    def stop(_done):
        raise StorageError("enough")

    with pytest.raises(StorageError, match="enough"):
        storage.bring(order(start, places[kind], body, progress=stop))

    assert places[kind].size(PATH) is None


@pytest.mark.parametrize("kind", ["dav", "davs", "s3", "root"])
def test_a_file_that_is_not_what_the_catalogue_says_never_arrives(places, tmp_path, kind):
    target = storage.open_place(f"file://{tmp_path}")
    put(places[kind], b"what is there")
    wanted = b"what was meant"[:13]

    with pytest.raises(storage.BadContent, match="adler32 is"):
        storage.bring(order(places[kind], target, wanted))
    with pytest.raises(storage.BadContent, match="size is"):
        storage.bring(order(places[kind], target, wanted + b" and more"))
    with pytest.raises(storage.BadContent, match="size is over"):
        storage.bring(order(places[kind], target, wanted[:5]))

    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    ("kind", "secret"), [("dav", "ddm:wrong-canary"), ("davs", "ddm:wrong-canary")]
)
def test_a_wrong_password_is_said_and_never_shown(running, monkeypatch, settings, kind, secret):
    settings.PANDASITE_STORAGE_CA = str(running["certificate"])
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_DAV", secret)
    place = storage.open_place(running[kind])

    with pytest.raises(storage.SourceError, match="401") as refusal:
        got(place)

    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["dav", "s3"])
@pytest.mark.parametrize("why", ["secret", "many"])
def test_who_uses_a_place_keeps_it_when_others_do_not(running, places, monkeypatch, kind, why):
    put(places[kind], b"in use")
    if why == "secret":
        monkeypatch.setenv(f"PANDASITE_STORAGE_SECRET_{running[kind].secret.upper()}", "a:new-one")
    else:
        monkeypatch.setattr(opening, "KEPT", 1)
        storage.open_place(Address(url="dav://se.example.org/"))

    assert storage.open_place(running[kind]) is not places[kind]

    assert got(places[kind]) == b"in use"


def test_a_server_whose_certificate_nobody_vouches_for_is_not_believed(
    running, monkeypatch, settings
):
    storage.close_places()
    settings.PANDASITE_STORAGE_CA = ""
    monkeypatch.setenv("PANDASITE_STORAGE_SECRET_DAV", f"{servers.USER}:{servers.PASSWORD}")

    with pytest.raises(storage.SourceError, match="(?i)certificate"):
        got(storage.open_place(running["davs"]))
    storage.close_places()


KILLED = """
import sys, time, django
django.setup()
from datasets import storage
from datasets.storage import Address, Copied
source, url, endpoint, secret, path, size, adler32 = sys.argv[1:]

def half(_done):
    print("half", flush=True)
    time.sleep(120)

target = storage.open_place(Address(url=url, endpoint=endpoint, secret=secret))
storage.bring(storage.Order(
    source=storage.open_place(source), target=target, path=path, tag="t1.1", progress=half,
    expected=Copied(size=int(size), adler32=adler32)))
"""


@pytest.mark.parametrize("kind", ["file", "dav", "s3", "root"])
def test_a_worker_that_is_killed_while_it_copies_shows_nothing_and_the_next_one_brings_it(
    running, places, tmp_path, kind
):
    body, start = content(40_000_000), storage.open_place(f"file://{tmp_path}")
    put(start, body)
    address, known = running[kind], facts(body)
    words = [f"file://{tmp_path}", address.url, address.endpoint, address.secret, PATH]
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, *words, str(known.size), known.adler32],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "half\n"
        child.kill()

    assert places[kind].size(PATH) is None
    storage.bring(order(start, places[kind], body, tag="t1.2"))
    assert got(places[kind]) == body
    if kind != "s3":
        folder = pathlib.Path(str(running["file"]).removeprefix("file://")).parent / kind
        folder = running["data"] if kind == "root" else folder
        assert not list(folder.rglob(".*.part"))
    else:
        assert not places[kind].call("list_multipart_uploads").get("Uploads")


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_listed_with_sizes_and_times(running, places, kind):
    put(places[kind], b"12345")
    *folders, name = PATH.split("/")

    found, folder = [], ""
    for step in folders:
        found.append(next(one for one in entries(running[kind], folder) if one.name == step))
        folder = f"{folder}/{step}".lstrip("/")
    (file,) = entries(running[kind], folder)

    assert all(one.is_folder for one in found)
    assert (file.name, file.is_folder, file.size) == (name, False, 5)
    assert file.changed > 1_000_000_000
