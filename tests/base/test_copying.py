"""Rows by COPY: what comes out of the table is what went in."""

import pytest
from django.db import IntegrityError, connection, models
from django.db.utils import DataError

from pandasite.base.copying import NewRows, reserve_keys
from pandasite.base.models import AuditLine, SweepRun
from tests.builders import NOW

pytestmark = pytest.mark.django_db
NASTY = [
    "",
    "\\N",
    "\\",
    "\\.",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\\t",
    "é\N{GRINNING FACE}",
    "NULL",
    "\x01",
]


def lines(**same: object) -> NewRows:
    return NewRows(AuditLine, ("reason",), at=NOW, actor_name="alice", **same)


@pytest.mark.parametrize("text", NASTY)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    lines(subject=text).insert([(text,), ("plain",)])

    stored = AuditLine.objects.order_by("pk")
    assert list(stored.values_list("reason", "subject")) == [(text, text), ("plain", text)]


def test_what_is_not_named_has_its_default() -> None:
    lines(facts={"n": "a\tb"}).insert([("x",)])
    lines().insert([("y",)])

    first, second = AuditLine.objects.order_by("pk")
    assert (first.actor, first.action, first.facts, second.facts) == (None, "", {"n": "a\tb"}, {})


def test_none_is_null_and_other_kinds_keep_their_value() -> None:
    columns = ("name", "started_at", "ok", "runs")
    NewRows(SweepRun, columns).insert([("a", None, False, 7), ("b", NOW, True, 2**40)])

    kept = SweepRun.objects.order_by("name").values_list(*columns)
    assert list(kept) == [("a", None, False, 7), ("b", NOW, True, 2**40)]


def test_reserved_keys_ascend_and_are_good_for_rows() -> None:
    keys = reserve_keys(SweepRun, 3)
    NewRows(SweepRun, ("id", "name")).insert([(key, f"s{key}") for key in keys])

    assert (
        sorted(keys) == keys == list(SweepRun.objects.order_by("pk").values_list("pk", flat=True))
    )
    assert SweepRun.objects.create(name="next").pk > keys[-1]


def test_a_column_that_is_not_there_is_an_error_before_any_row() -> None:
    with pytest.raises(TypeError, match="no columns colour, size"):
        NewRows(SweepRun, ("name", "size"), colour="red")


@pytest.mark.parametrize("row", [("a",), ("a", 1, 2), ("a\tb",)])
def test_a_row_of_another_length_is_an_error(row: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="values, not 2"):
        NewRows(SweepRun, ("name", "runs")).insert([row])


def test_what_the_database_refuses_comes_as_djangos_error() -> None:
    rows = NewRows(SweepRun, ("name",))
    with pytest.raises(IntegrityError):
        rows.insert([("a",), ("a",)])


def test_a_text_that_is_too_long_comes_as_djangos_error() -> None:
    with pytest.raises(DataError):
        NewRows(SweepRun, ("name",)).insert([("a" * 65,)])


def test_no_column_of_the_database_itself_is_written() -> None:
    class Made(models.Model):
        name = models.TextField()
        at = models.DateTimeField(db_default=models.functions.Now())

        class Meta:
            app_label = "base"
            managed = False

    rows = NewRows(Made, ("name",))
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE base_made (id int, name text, at timestamptz DEFAULT now())"
        )
        rows.insert([("a",)])
        cursor.execute("SELECT name, at IS NULL, id FROM base_made")
        assert cursor.fetchall() == [("a", False, None)]
