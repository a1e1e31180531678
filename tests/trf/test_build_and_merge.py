"""The programs that build a library of the user's sources, and merge his files."""

from __future__ import annotations

import io
import tarfile

import pytest

from jobs.trf import ends
from jobs.trf.programs import BUILD, MERGE, RUN
from tests.panda.sandboxes import archive, member
from tests.trf.running import SANDBOX, failure, run


def test_a_build_packs_what_the_users_command_has_made(tmp_path):
    sources = archive(("src/a.c", b"a"), member("l", type=tarfile.SYMTYPE, linkname="src"))
    (tmp_path / "sources.tar.gz").write_bytes(sources)

    words = ["-i", "sources.tar.gz", "-o", "lib.tgz", "-r", "src", "--bexec", "echo%20b%3Eb.o"]
    status, said = run(tmp_path, BUILD, *words)

    assert status == 0, said
    with tarfile.open(tmp_path / "lib.tgz") as tar:
        assert sorted(tar.getnames()) == ["l", "src", "src/a.c", "src/b.o"]
    assert run(tmp_path, RUN, "-l", "lib.tgz", "-p", "test%20-f%20l/b.o")[0] == 0


def test_a_build_that_fails_makes_no_library(tmp_path):
    (tmp_path / "sources.tar.gz").write_bytes(SANDBOX)

    words = ["-i", "sources.tar.gz", "-o", "lib.tgz", "--bexec", "exit%207"]

    assert run(tmp_path, BUILD, *words)[0] == 7
    assert not (tmp_path / "lib.tgz").exists()


def packed(content: bytes) -> bytes:
    return archive(("payload.stdout", content))


@pytest.mark.parametrize(
    ("name", "parts", "merged"),
    [
        ("all.txt", [b"1\n", b"2\n"], b"1\n2\n"),
        ("one.root", [b"\0root"], b"\0root"),
        ("all.log.tgz", [packed(b"1"), packed(b"2")], ["p0/payload.stdout", "p1/payload.stdout"]),
    ],
    ids=["text", "one", "logs"],
)
def test_files_are_merged_by_their_kind(tmp_path, name, parts, merged):
    names = [f"p{n}" for n in range(len(parts))]
    for part, content in zip(names, parts, strict=True):
        (tmp_path / part).write_bytes(content)

    status, said = run(tmp_path, MERGE, "--trn", str({name: names}))

    assert status == 0, said
    made = (tmp_path / name).read_bytes()
    if isinstance(merged, bytes):
        assert made == merged
    else:
        with tarfile.open(fileobj=io.BytesIO(made)) as tar:
            assert tar.getnames() == merged


def test_the_users_own_merging_makes_the_files_but_not_the_logs(tmp_path):
    for part in "ab":
        (tmp_path / part).write_bytes(b"\0" + part.encode())
        (tmp_path / f"{part}.log.tgz").write_bytes(packed(b"x"))
    wanted = {"all": ["a", "b"], "m.log.tgz": ["a.log.tgz", "b.log.tgz"]}

    words = ["-r", ".", "-j", "echo merged %IN > %OUT", "--trn", str(wanted)]
    status, said = run(tmp_path, MERGE, *words)

    assert status == 0, said
    assert (tmp_path / "all").read_text() == "merged a,b\n"
    with tarfile.open(tmp_path / "m.log.tgz") as tar:
        assert len(tar.getnames()) == 2


def test_binary_files_are_not_merged_without_a_word_how(tmp_path):
    for part in "ab":
        (tmp_path / part).write_bytes(b"\0" + part.encode())

    assert failure(tmp_path, MERGE, "--trn", "{'all': ['a', 'b']}")[0] == ends.NOT_MERGED
    assert failure(tmp_path, MERGE, "--trn", "{'all': ['a', 'c']}")[0] == ends.NO_INPUT
