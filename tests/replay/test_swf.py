"""The Standard Workload Format: what is read, and what is refused with its line."""

import datetime as dt
import gzip
import statistics

import pytest

from pandasite.replay.swf import BadLog, Record, first, parse, read
from pandasite.replay.work import slots_of, work_of
from tests.replay.made import swf

JOB = "1 7 -1 83 1 -1 -1 -1 1200 -1 -1 4 2 -1 -1 1 -1 -1"


def line(**places):
    """The job of a line in which some fields are others: f4="x"."""
    words = JOB.split()
    for name, word in places.items():
        words[int(name[1:]) - 1] = word
    return " ".join(words)


def test_a_job_is_read_with_its_times_user_group_and_site():
    log = parse(["; Partition:  1 grid.ici.ro      ", "; UnixStartTime: 1132444805", "", JOB])

    assert log.records == (Record(1, 7, 83, 1, 1200, 4, 2, 1),)
    assert (log.partitions, log.start) == ({1: "grid.ici.ro"}, 1132444805)


def test_cores_that_are_not_known_are_those_that_were_asked_for():
    (record,) = parse([line(f5="-1", f8="4")]).records

    assert record.cores == 4


@pytest.mark.parametrize("never", [{"f4": "-1"}, {"f4": "0", "f11": "5"}], ids=["none", "taken"])
def test_jobs_that_never_ran_are_left_out_and_counted(never):
    log = parse([JOB, line(f1="2", **never)])

    assert (len(log.records), log.skipped) == (1, 1)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("1 2 3", "line 2: 3 fields, not 18"),
        (line(f4="soon"), "line 2: field 4 is 'soon', which is no number"),
        (line(f4="nan"), "line 2: field 4 is 'nan', which is no number"),
        (line(f1="0"), "line 2: job number 0, which is below 1"),
        (line(f2="-5"), "line 2: submit time -5, not from 0 to"),
        (line(f4="-7"), "line 2: run time -7, not from -1 to"),
        (line(f4="9e99"), "line 2: run time"),
        (JOB, "line 2: job 1 was in line 1 already"),
    ],
    ids=["fields", "word", "nan", "number", "submit", "run", "long", "twice"],
)
def test_nonsense_is_refused_with_the_number_of_its_line(bad, words):
    with pytest.raises(BadLog, match=words):
        parse([JOB, bad])


def test_a_refusal_names_ten_lines_at_most():
    with pytest.raises(BadLog) as refused:
        parse(["nonsense"] * 50)

    assert str(refused.value).count("line ") == 10


def test_a_log_without_jobs_is_refused():
    with pytest.raises(BadLog, match="no job in it that ran"):
        parse(["; Version: 2.2"])


def test_a_compressed_file_is_read_and_a_broken_one_refused(tmp_path):
    path = tmp_path / "log.swf.gz"
    path.write_bytes(gzip.compress(JOB.encode()))
    assert len(read(path).records) == 1

    path.write_bytes(gzip.compress(JOB.encode())[:-4])
    with pytest.raises(BadLog, match="log.swf.gz is no whole gzip file"):
        read(path)


def test_work_has_the_times_of_the_log_as_fast_as_asked_for():
    log = parse(["; UnixStartTime: 1132444800", JOB, line(f1="2", f2="107", f4="60")])

    work = work_of(log, scale=10)

    assert [(job.number, job.submit, job.run) for job in work.jobs] == [(1, 0, 8.3), (2, 10, 6)]
    assert (work.jobs[0].user, work.jobs[0].group) == ("swf-user4", "swf-group2")
    assert work.start == dt.datetime(2005, 11, 20, 0, 0, 7, tzinfo=dt.UTC)


def test_a_site_has_as_many_slots_as_the_log_has_jobs_there_at_once():
    log = parse([
        "; Partition: 2 two words",
        line(f1="1", f2="0", f4="10"),
        line(f1="2", f2="5", f4="10"),
        line(f1="3", f2="10", f4="5"),  # begins when the first ends
        line(f1="4", f2="0", f16="2"),
    ])  # fmt: skip

    assert slots_of(log) == {"site1": 2, "two-words": 1}
    assert work_of(log, slots=7).slots == {"site1": 7, "two-words": 7}


def test_a_made_log_has_the_statistics_of_a_grid():
    log = parse(swf(2000).splitlines())

    runs = sorted(record.run for record in log.records)
    assert len(first(log, 10).records) == 10
    assert 100 < statistics.median(runs) < 600
    assert runs[1800] > 4 * 3600
    assert len(slots_of(log)) == 12
