"""What XRootD alone can do, and how it fails: against real servers."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from datasets import reasons, storage
from datasets.storage import Address, StorageError, xroot_client, xroot_copy, xroot_door
from tests.datasets.copies import PATH, content, facts, got, order, put
from tests.datasets.servers import Raw, says
from tests.datasets.xrootd import xrootd


@pytest.fixture(scope="module")
def server():
    with xrootd() as running:
        yield running


@pytest.fixture(scope="module")
def plain():
    """A server that sums up nothing."""
    with xrootd(more="") as running:
        yield running


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    storage.close_places()
    monkeypatch.setattr(xroot_client, "_prepared", set())
    yield
    storage.close_places()


@pytest.fixture
def impatient(settings, anew):
    settings.PANDASITE = settings.PANDASITE | {"STORAGE_TIMEOUT_SECONDS": 1}


def place(running, folder="disk"):
    return storage.open_place(f"{running.url}//{folder}")


# -- third-party copy --------------------------------------------------------------------------


@pytest.fixture
def small_ones_too(monkeypatch):
    monkeypatch.setattr(xroot_copy, "LEAST_BYTES", 1)


@pytest.mark.parametrize("where", ["other", "same"])
def test_servers_copy_between_themselves(server, plain, small_ones_too, monkeypatch, where):
    source = place(server, "from")
    target = place(plain if where == "other" else server, f"to-{where}")
    body, heard, threads = content(2_000_000), [], set()
    put(source, body)
    monkeypatch.setattr(source, "read", None)  # nobody streams

    def progress(done):
        heard.append(done)
        threads.add(threading.get_ident())

    proof = storage.bring(order(source, target, body, progress=progress)).proof

    assert proof == ("re-read" if where == "other" else "server")
    assert got(target) == body
    assert heard[-1] == len(body) and threads == {threading.get_ident()}


def test_a_small_file_is_streamed(server, plain, monkeypatch):
    body = content(1000)
    put(place(server), body)
    monkeypatch.setattr(xroot_copy, "_copy", None)

    storage.bring(order(place(server), place(plain), body))

    assert got(place(plain)) == body


def test_what_servers_do_not_manage_among_themselves_is_streamed(
    server, plain, small_ones_too, monkeypatch
):
    body = content(1000)
    put(place(server), body)
    monkeypatch.setattr(xroot_copy, "_copy", lambda *_: "the firewall")

    storage.bring(order(place(server), place(plain), body))

    assert got(place(plain)) == body


def test_a_copy_between_servers_ends_when_it_is_no_longer_ours(server, plain, small_ones_too):
    body = content(1000)
    put(place(server), body)
    place(plain).remove(PATH)

    def stop(_done):
        raise StorageError("another worker has taken over")

    with pytest.raises(StorageError, match="taken over"):
        storage.bring(order(place(server), place(plain), body, progress=stop))

    assert place(plain).size(PATH) is None
    assert not list(plain.data.rglob(".*.part"))


def test_other_content_at_the_source_is_its_fault_also_when_servers_copy(
    server, plain, small_ones_too
):
    put(place(server), b"what is there")

    with pytest.raises(storage.BadContent, match="adler32 is"):
        storage.bring(order(place(server), place(plain), b"what was meant"[:13]))


def test_no_server_learns_the_token_of_another(monkeypatch):
    doors = {
        name: SimpleNamespace(door=SimpleNamespace(token=token), configured=lambda _name: "1")
        for name, token in {"none": "", "a": "token-a", "b": "token-b"}.items()
    }
    can = {
        (one, other): xroot_copy._can(doors[one], doors[other]) for one in doors for other in doors
    }

    assert {pair for pair, allowed in can.items() if not allowed} == {
        ("a", "none"),
        ("a", "b"),
        ("b", "none"),
        ("b", "a"),
    }


def test_a_copy_that_stands_still_is_ended(impatient):
    watch = xroot_copy.Watch(lambda _done: None)
    watch.update(1, 10, 100)
    assert not watch.should_cancel(1)
    watch.moved_at -= 3

    assert watch.should_cancel(1)
    assert "timed out" in str(watch.ended)


# -- proof and space ---------------------------------------------------------------------------


def test_what_a_server_does_not_sum_up_is_read_again(plain):
    body = content(1000)
    arrival = place(plain).arrive(PATH, tag="t1.1", expected=facts(body))
    arrival.fill(iter([body]))

    assert arrival.prove(facts(body)) == "re-read"
    arrival.discard()


@pytest.mark.parametrize("kind", ["server", "plain"])
def test_what_has_arrived_as_something_else_is_noticed(request, kind):
    body = content(1000)
    arrival = place(request.getfixturevalue(kind)).arrive(PATH, tag="t1.1", expected=facts(body))
    arrival.fill(iter([body[:-1] + b"!"]))

    with pytest.raises(StorageError, match="is not what was sent: 1000 bytes"):
        arrival.prove(facts(body))
    arrival.discard()


def test_a_server_tells_the_space_of_its_disks(server):
    found = place(server).space()

    assert found.said_by == "disk" and found.capacity > found.used > 0


# -- failures ----------------------------------------------------------------------------------


def test_a_server_that_hangs_costs_a_bounded_time_and_serves_again_after(server, impatient):
    body = content(1000)
    put(place(server), body)

    with server.halted():
        with pytest.raises(storage.SourceError, match="timed out"):
            got(place(server))
        with pytest.raises(StorageError, match="timed out"):
            place(server).size(PATH)

    assert got(place(server)) == body


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda server, _connection, _request: server.ending.wait(20), "timed out"),
        (says("200 OK", b"<html>maintenance</html>", kind="text/html"), "connection lost"),
    ],
    ids=["never", "html"],
)
def test_what_is_no_xrootd_server_is_said_in_words(impatient, answer, reason):
    with Raw(answer) as other, pytest.raises(storage.SourceError, match="cannot read") as refusal:
        got(storage.open_place(f"root://127.0.0.1:{other.port}//disk"))

    assert reasons.reason_of(str(refusal.value)) == reason


def test_a_folder_that_nobody_may_write_to_is_said(server):
    closed = server.data / "closed"
    closed.mkdir(mode=0o555)

    with pytest.raises(StorageError, match="cannot write") as refusal:
        put(place(server, "closed"), b"x")

    assert reasons.reason_of(str(refusal.value)) == "permission denied"


@pytest.mark.parametrize("allowed", [False, True], ids=["by-default", "allowed"])
def test_a_redirect_is_followed_only_when_it_may_be(server, settings, allowed):
    settings.PANDASITE_STORAGE_REDIRECTS = allowed
    put(place(server, "elsewhere"), b"over there")
    with xrootd(more=f"xrootd.redirect 127.0.0.1:{server.port} /elsewhere") as sends_on:
        door = place(sends_on, "elsewhere")
        if allowed:
            assert got(door) == b"over there"
        else:
            with pytest.raises(storage.SourceError, match="redirects elsewhere"):
                got(door)


def test_a_server_that_was_led_to_is_looked_at_as_well(settings):
    settings.PANDASITE_STORAGE_LOOPBACK = False

    with pytest.raises(StorageError, match="no storage element's address"):
        xroot_door.check_redirected("127.0.0.1:1094")


@pytest.mark.parametrize(
    ("code", "errno", "reason"),
    [
        (101, 0, "host unknown"),
        (102, 0, "connection lost"),
        (108, 0, "connection refused"),
        (110, 0, "certificate refused"),
        (204, 0, "permission denied"),
        (206, 0, "timed out"),
        (400, 3009, "no space left"),
        (400, 3010, "permission denied"),
        (400, 3011, "source missing"),
        (400, 3021, "no space left"),
        (400, 3024, "storage busy"),
    ],
)
def test_each_failure_has_its_reason(code, errno, reason):
    message = f"[ERROR] Server responded with an error: [{errno}] Unable to open /a?authz=canary x"
    said = xroot_client.words(SimpleNamespace(code=code, errno=errno, message=message))

    assert reasons.reason_of(said) == reason
    assert "canary" not in said


def test_without_the_client_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "XRootD", None)

    with pytest.raises(StorageError, match=r"pip install pandasite\[xrootd\]"):
        storage.open_place("root://se.example.org//disk")


# A process that has the client, and an object that is made when somebody asks what it is.
KEEPER = """
from django.conf import settings
settings.configure(PANDASITE_STORAGE_CA="", PANDASITE_STORAGE_REDIRECTS=False,
  PANDASITE={"STORAGE_TIMEOUT_SECONDS": 1})
from django.utils.functional import SimpleLazyObject
kept = SimpleLazyObject(lambda: print("it was made"))
from datasets.storage import xroot_client
file = xroot_client.library().File()
print(file.open("root://127.0.0.1:1//x", timeout=1)[0].ok)
"""


def test_a_process_that_ends_asks_no_lazy_object_what_it_is(settings):
    program = [sys.executable, "-c", KEEPER]
    said = subprocess.run(program, cwd=settings.BASE_DIR, capture_output=True, text=True)

    assert (said.stdout, said.stderr, said.returncode) == ("False\n", "", 0)


def test_a_name_behind_which_something_is_hidden_is_no_path(server):
    with pytest.raises(StorageError, match="no path that root:// can name"):
        place(server).remove("mc09/x?authz=y")


@pytest.mark.parametrize("url", ["root://se.example.org//x?a=b", "roots://se.example.org//x#y"])
def test_an_address_holds_no_more_than_a_folder(url):
    with pytest.raises(StorageError, match=r"no \? and no #"):
        storage.open_place(Address(url=url))
