"""The weeks of the archive that may have a name are known, and the latest are asked first."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection

from jobs import fsck, retention
from jobs.models import WeekStem
from tests.builders import after, create_job, put_away

pytestmark = pytest.mark.django_db
LAST = "\U0010ffff"


def asked(sql: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()]


def lately(text: str, most: int = 9) -> list[int]:
    """PandaIDs of ended jobs whose name begins so."""
    return asked("SELECT key FROM jobs_ended_lately(%s, %s, %s)", text, text + LAST, most)


def weeks_of(text: str) -> list[dt.datetime]:
    (weeks,) = asked("SELECT jobs_weeks_named('job', %s, %s)", text, text + LAST)
    return list(weeks)


def ended(name: str, *, weeks_ago: int = 0) -> int:
    return int(create_job("finished", job_name=name, at=after(days=-7 * weeks_ago)).pk)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("mc09.105042.evgen._10", "mc09.105042."),
        ("user.bob", "user."),
        ("user..bob", "user.."),
        ("user.bob.", "user."),
        (".", "."),
        ("7c1f2a60-5b8e", "7c1"),
        ("x", "x"),
        (f"{'long' * 20}.b.c", "long" * 10),
        ("é.ü.ß", "é.ü."),
    ],
)
def test_a_stem_is_a_beginning_of_the_name(name: str, stem: str) -> None:
    assert asked("SELECT jobs_stem(%s)", name) == [stem]
    assert name.startswith(stem)


@pytest.mark.parametrize(
    "text", ["m", "mc09.", "mc09.1", "mc09.105.", "mc09.105.ev", "mc09.105.evgen._2"]
)
def test_an_ended_job_is_found_by_any_beginning_of_its_name(text: str) -> None:
    wanted = ended("mc09.105.evgen._2", weeks_ago=3)
    ended("data09.1.x")
    put_away()

    assert lately(text) == [wanted]
    assert len(weeks_of(text)) == 1
    assert lately(text + "!") == []
    assert fsck.check() == []


def test_a_name_that_no_week_has_is_looked_for_in_none() -> None:
    ended("mc09.105.evgen._2")
    put_away()

    assert weeks_of("mc10") == weeks_of("mc09.1051") == weeks_of("mc09.105.".upper()) == []


def test_the_latest_weeks_come_first_and_in_each_the_first_by_name() -> None:
    old = [ended(f"mc09.1.b{n}", weeks_ago=2) for n in range(2)]
    new = [ended(f"mc09.1.a{n}") for n in (1, 0)]
    put_away()

    assert lately("mc09") == [*reversed(new), *old]
    assert lately("mc09", most=3) == [*reversed(new), old[0]]
    assert lately("mc09", most=1) == [new[1]]


def test_a_job_is_found_behind_many_weeks_that_only_have_its_stem() -> None:
    wanted = [ended("mc09.1.z", weeks_ago=weeks) for weeks in (9, 7)]
    for weeks in range(6):
        ended("mc09.1.a", weeks_ago=weeks)
    put_away()

    assert sorted(lately("mc09.1.z")) == wanted
    assert lately("mc09.1.y") == []


def test_a_week_with_too_many_stems_is_always_looked_into() -> None:
    first = ended("mc09.1.x")
    put_away()
    (week,) = weeks_of("mc09")
    WeekStem.objects.bulk_create(
        WeekStem(kind="job", stem=f"a{n}.b.", week=week) for n in range(5001)
    )
    # when
    more = ended("mc09.2.x")
    put_away()
    # then
    assert list(WeekStem.objects.filter(kind="job").values_list("stem", flat=True)) == [""]
    assert lately("mc09") == [first, more]
    # and nothing is noted any more
    ended("mc09.3.x")
    put_away()
    assert WeekStem.objects.filter(kind="job").count() == 1
    assert len(lately("mc09.3")) == 1
    assert fsck.check() == []


def test_where_more_stems_fit_than_are_read_all_weeks_are_asked() -> None:
    wanted = ended("zz.1.x", weeks_ago=1)
    ended("aa.1.x")
    put_away()
    latest = weeks_of("aa")[0]
    WeekStem.objects.bulk_create(
        WeekStem(kind="job", stem=f"z{n:03}.b.", week=latest) for n in range(500)
    )

    assert weeks_of("z")[0] == latest
    assert lately("z") == [wanted]


def test_the_files_of_ended_jobs_are_found_in_the_same_way() -> None:
    for weeks in range(7):
        create_job("finished", outputs=["mc09.1.HITS"], at=after(days=-7 * weeks))
    put_away()

    def found(text: str) -> int:
        sql = "SELECT lfn FROM jobs_ended_files_lately(%s, %s, 9) AS f (k, lfn)"
        return len(asked(sql, text, text + LAST))

    assert (found("mc09.1"), found("mc09.1.H"), found("mc09.2")) == (7, 7, 0)


def test_a_week_that_is_dropped_is_asked_no_longer() -> None:
    ended("mc09.1.x", weeks_ago=9)
    put_away()
    WeekStem.objects.create(kind="job", stem="mc09.", week=after(days=-7000))
    # when
    retention.drop(retention.weeks_before(after(days=-7)), now=after())
    # then
    assert weeks_of("mc09.1") == [after(days=-7000)], "and one that is not there does no harm"
    assert lately("mc09.1") == []


def test_a_name_without_a_stem_is_told_by_fsck_and_noted_again() -> None:
    ended("mc09.1.x")
    put_away()
    (week,) = weeks_of("mc09")
    WeekStem.objects.filter(kind="job").delete()
    # then
    (line,) = fsck.check()
    assert "names of jobs that begin with 'mc09.1.' in the week of 2009-09-14" in line
    # when
    asked("SELECT jobs_note_stems(%s)::text", week)
    # then
    assert fsck.check() == []
    assert len(lately("mc09")) == 1


@pytest.mark.parametrize("weeks_ago", [2, 7])
def test_the_very_name_is_found_however_many_newer_ones_begin_so(weeks_ago: int) -> None:
    wanted = ended("mc09.105.evgen._1", weeks_ago=weeks_ago)
    for week in range(weeks_ago):
        for nr in range(3):
            ended(f"mc09.105.evgen._1{nr}", weeks_ago=week)
    put_away()

    assert wanted in lately("mc09.105.evgen._1", most=3)
    assert wanted not in lately("mc09.105.evgen._", most=3)
