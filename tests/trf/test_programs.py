"""What the transformations of users' jobs do, and what they refuse."""

from __future__ import annotations

import ast
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jobs.errors import catalogue
from jobs.trf import ends
from jobs.trf.programs import MAINS, RUN, program
from tests.panda.sandboxes import archive, member
from tests.trf.running import SANDBOX, failure, run

JOBO = "jobO.tar.gz"


@pytest.mark.parametrize("trf", MAINS)
def test_a_program_is_one_file_that_names_nothing_twice_and_imports_the_standard_library(trf):
    found = program(trf)
    assert found is not None
    tree = ast.parse(found.text)
    named = Counter(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    )
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }

    assert named.most_common(1)[0][1] == 1
    assert imported <= sys.stdlib_module_names


def test_each_failure_of_ours_has_a_meaning_in_the_catalogue():
    codes = {value for name, value in vars(ends).items() if name.isupper() and name != "EXE"}
    known = {row.code for row in catalogue() if row.component == "exe" and row.source == "trf"}

    assert known == {ends.EXE + code for code in codes}
    assert all(192 < code < 256 for code in codes)  # no signal of a shell, and an exit code


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (["-p", "./run.sh%20%25IN%20%3E%20o", "-i", "['a','b']"], "a,b\n"),
        (["-p", "./run.sh%20%25IN2%20%25IN%3E%20o", "--inMap", "{'IN':['a'],'IN2':['b','a']}"],
         "b,a a\n"),
        (["-p", "./run.sh%20%25FIRSTEVENT%20%3Eo"], "%FIRSTEVENT\n"),
        (["-p", "cat%20l%3E%20o", "-i", "['b']", "--writeInputToTxt", "IN:l"], "b\n"),
        (["-p", "echo%20x%3E%20o", "-r", "deep/er"], "x\n"),
        (["-p", "echo%20pfn%20%25IN%3Eo", "-i", "root://h/f", "--givenPFN"], "pfn root://h/f\n"),
        (["-p", "echo%20o%3Eo", "--execWithRealFileNames"], "user.1.o\n"),
    ],
    ids=["in", "streams", "unknown word", "list", "run folder", "pfn", "real names"],
)  # fmt: skip
def test_the_command_is_run_with_its_inputs_and_its_output_is_named(tmp_path, parameters, told):
    # given
    (tmp_path / JOBO).write_bytes(SANDBOX)
    for name in "ab":
        (tmp_path / name).write_text(name)

    # when
    words = ["-j", "", "-a", JOBO, "-o", "{'o': 'user.1.o'}", *parameters]
    status, said = run(tmp_path, RUN, *words)

    # then
    assert status == 0, said
    assert (tmp_path / "user.1.o").read_text() == told
    assert not (tmp_path / "workDir").exists() and not (tmp_path / JOBO).exists()


def test_outputs_that_fit_a_pattern_come_as_an_archive(tmp_path):
    outputs = "{'*.log': 'logs.tgz', 'regex|x[0-9]+': 'xs.tgz'}"

    status, said = run(tmp_path, RUN, "-p", "touch%20a.log%20b.log%20x1%20x22%20xy", "-o", outputs)

    assert status == 0, said
    with tarfile.open(tmp_path / "logs.tgz") as tar:
        assert tar.getnames() == ["a.log", "b.log"]
    with tarfile.open(tmp_path / "xs.tgz") as tar:
        assert tar.getnames() == ["x1", "x22"]


@pytest.mark.parametrize(
    ("command", "status"), [("exit%2042", 42), ("kill%20-9%20%24%24", 137), ("false", 1)]
)
def test_the_commands_own_end_is_that_of_the_program(tmp_path, command, status):
    assert run(tmp_path, RUN, "-p", command)[0] == status
    assert not (tmp_path / "jobReport.json").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], ends.BAD_PARAMETERS, "-p names no command"),
        (["-p", "true", "--what"], ends.BAD_PARAMETERS, "--what"),
        (["-p", "true", "rest"], ends.BAD_PARAMETERS, "rest"),
        (["-p", "true", "-o", "{'a': open('/etc/passwd')}"], ends.BAD_PARAMETERS, "-o"),
        (["-p", "true", "-o", "{'a': '../b'}"], ends.BAD_PARAMETERS, "../b"),
        (["-p", "true", "-o", "{'../a': 'b'}"], ends.BAD_PARAMETERS, "leads out"),
        (["-p", "true", "-r", "../.."], ends.BAD_PARAMETERS, "leads out"),
        (["-p", "true", "-i", "[" * 5000], ends.BAD_PARAMETERS, "-i"),
        (["-p", "true", "-i", "['../a']"], ends.BAD_PARAMETERS, "../a"),
        (["-p", "true", "-i", "['none']"], ends.NO_INPUT, "none"),
        (["-p", "true", "-o", "{'none': 'b', 'more': 'c'}"], ends.NO_OUTPUT, "none, more"),
        (["-p", "true", "-a", "missing.tar.gz"], ends.NO_SANDBOX, "missing.tar.gz"),
        (["-p", "true", "-a", "../x"], ends.BAD_PARAMETERS, "../x"),
        (["-p", "true", "-a", "x", "--sourceURL", "file:///etc"], ends.NO_SANDBOX, "not HTTP"),
        (["-p", "true", "--useAthenaPackages"], ends.NOT_OFFERED, "--useAthenaPackages"),
        (["-p", "true", "--containerImage", "x"], ends.NOT_OFFERED, "--containerImage"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)  # fmt: skip
def test_what_cannot_be_done_is_said_with_its_own_code(tmp_path, words, code, told):
    status, message = failure(tmp_path, RUN, *words)

    assert status == code
    assert told in message


LINK = tarfile.SYMTYPE


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        archive(("../x", b"x")),
        archive(("/x", b"x")),
        archive(member("l", type=LINK, linkname="../..")),
        archive(member("l", type=LINK, linkname="/tmp")),
        archive(
            member("l", type=LINK, linkname="."), member("m", type=LINK, linkname="l/../.."),
        ),
        archive(member("l", type=LINK, linkname="a/.."), member("a", type=LINK, linkname="."),
                ("l/../x", b"x")),
        archive(member("h", type=tarfile.LNKTYPE, linkname="../jobReport.json")),
        archive(member("pipe", type=tarfile.FIFOTYPE)),
    ],
    ids=["no tar", "up", "root", "link up", "link root", "links", "late link", "hard", "pipe"],
)  # fmt: skip
def test_an_archive_that_leads_out_of_the_folder_is_not_unpacked(tmp_path, content):
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "x.tar.gz").write_bytes(content)

    assert failure(folder, RUN, "-p", "true", "-a", "x.tar.gz")[0] == ends.BAD_SANDBOX
    assert [path.name for path in tmp_path.iterdir()] == ["job"]
    assert not (folder / "x").exists()


class Shelf(BaseHTTPRequestHandler):
    """Has one sandbox, and wants the key."""

    failures = 0

    def do_GET(self) -> None:
        good = self.path == f"/cache/{JOBO}" and self.headers["X-Sandbox-Key"] == "k1"
        if good and Shelf.failures:
            Shelf.failures -= 1
            self.send_error(503)
            return
        self.send_response(200 if good else 404)
        self.end_headers()
        self.wfile.write(SANDBOX if good else b"")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def shelf() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Shelf)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_where_no_pilot_has_brought_the_sandbox_it_is_fetched_with_the_key_of_the_job(tmp_path):
    with shelf() as url:
        words = ["--cacheKey", "k1", "-a", JOBO, "--sourceURL", url, "-p", "./run.sh%20hello"]
        status, said = run(tmp_path, RUN, *words)
        words[1] = "k2"
        refused = failure(tmp_path, RUN, *words)

    assert (status, "hello" in said) == (0, True)
    assert refused[0] == ends.NO_SANDBOX
    assert "404" in refused[1] and "k2" not in refused[1]
