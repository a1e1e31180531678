"""Tables: sorted, cut and exported by what the address says."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponseBase, QueryDict
from django.test import RequestFactory
from django.utils.html import conditional_escape

from monitor import columns, sheets
from monitor.params import Params
from monitor.sheets import Sheet, column
from pandasite.base.errors import BadInput

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


class Nodes(Sheet):
    node = column("Node", "name of the worker node")
    jobs = column("Jobs", "jobs that ended there", look="n")


@dataclass(frozen=True, kw_only=True)
class Row:
    node: str
    jobs: int


def rows(n: int = 3) -> list[Row]:
    return [Row(node=f"wn{i:03}", jobs=(i * 7) % n) for i in range(n)]


def ask(query: str, data: list[Row], template: str = "monitor/sheet_only.html") -> HttpResponseBase:
    request = RequestFactory().get(f"/nodes/?{query}")
    request.user = AnonymousUser()
    params = Params(QueryDict(query), known=sheets.PARAMS)
    return sheets.respond(request, template, Nodes(data), params=params, context={}, now=NOW)


def told(query: str, data: list[Row]) -> list[dict[str, object]]:
    return list(json.loads(ask(f"{query}&format=json", data).getvalue())["rows"])


def test_a_sheet_is_sorted_by_its_address() -> None:
    assert [row["jobs"] for row in told("sort=-jobs", rows())] == [2, 1, 0]
    assert [row["jobs"] for row in told("sort=jobs", rows())] == [0, 1, 2]


def test_rows_without_a_value_come_first_and_last_when_turned_round() -> None:
    def order(sort: str, *values: object) -> list[object]:
        sheet = sheets.arrange(
            Nodes([{"node": n, "jobs": value} for n, value in enumerate(values)]),
            Params(QueryDict(f"sort={sort}"), known=sheets.PARAMS),
        )
        return [row["jobs"] for row in sheet.plain_rows()]

    assert order("jobs", 2, None, 0, 1.5) == [None, 0, 1.5, 2]
    assert order("-jobs", 2, None, 0, 1.5) == [2, 1.5, 0, None]
    assert order("jobs", "b", 1, "a", None, True) == [None, 1, True, "a", "b"]
    assert order("-jobs", {"b": 1}, {"a": 2}) == [{"b": 1}, {"a": 2}]


def test_rows_of_one_value_stay_in_their_order_either_way() -> None:
    alike = [Row(node=f"wn{nr}", jobs=nr % 2) for nr in (3, 1, 2, 5)]

    for sort, nodes in (("jobs", "2315"), ("-jobs", "3152")):
        assert [row["node"] for row in told(f"sort={sort}", alike)] == [f"wn{n}" for n in nodes]


def test_only_the_columns_that_are_asked_for_are_shown() -> None:
    assert told("columns=node", rows(1)) == [{"node": "wn000"}]


class Kinds(Sheet):
    """Cells of every kind: linked or not, empty, a number, a time, drawn by the sheet itself."""

    name = columns.link("Name", "", url=lambda record: f"/{record.name}?a=1&b=2", look="wrap")
    jobs = columns.number("Jobs", "", url=lambda record: "")
    at = columns.time("At", "")
    share = columns.percent("Share", "")
    plain = column("Plain", "a float, or nothing", look="n")
    length = column("Length", "what a method says", accessor="name__upper")
    twice = column("Twice", "")

    def render_twice(self, record: Thing, value: int) -> str:
        return f"{record.name} <{value}>"


@dataclass(frozen=True, kw_only=True)
class Thing:
    name: str
    jobs: int = 0
    at: dt.datetime | None = None
    share: float | None = None
    plain: float | None = None

    def twice(self) -> int:
        return 2 * self.jobs


THINGS = [
    Thing(name="<b>x</b>"),
    Thing(name="y & z", jobs=12_345, at=NOW, share=12.4, plain=0.5),
    Thing(name="", jobs=1),
]


def test_a_cell_is_drawn_as_the_column_draws_it() -> None:
    # given
    sheet = Kinds(THINGS)
    # when
    drawn = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in sheet.drawn_rows.split("\n")]
    # then
    by_tables2 = [[conditional_escape(cell) for _, cell in row.items()] for row in sheet.rows]
    assert drawn == by_tables2
    assert drawn[0][0] == '<a href="/&lt;b&gt;x&lt;/b&gt;?a=1&amp;b=2">&lt;b&gt;x&lt;/b&gt;</a>'
    assert drawn[1][1] == "12,345"
    assert drawn[0][6] == "&lt;b&gt;x&lt;/b&gt; &lt;0&gt;"


def test_the_title_of_a_column_of_times_names_the_zone_that_the_reader_has_chosen() -> None:
    class Times(Sheet):
        at = columns.time("<At> (UTC)", "a moment")
        day = column("Day (UTC)", "no moment", kind=columns.DayColumn)

    at, day = (str(one.header) for one in Times([]).columns)

    assert at == "&lt;At&gt; (<span data-zone>UTC</span>)"
    assert day == "Day (UTC)"


def test_rows_may_be_mappings_too() -> None:
    assert ">wn1<" in Nodes([{"node": "wn1", "jobs": 2}]).drawn_rows


def test_a_page_is_another_one_when_the_rows_that_it_does_not_show_are_more() -> None:
    def tag(data: list[Row]) -> str:
        return ask("", data, "monitor/_sheet.html").headers["ETag"]

    assert tag(rows(150)) == tag(rows(150)) != tag([*rows(150), *rows(1)])


def test_json_and_csv_have_all_rows_and_a_page_has_a_hundred() -> None:
    data = rows(150)
    sheet = sheets.arrange(Nodes(data), Params(QueryDict("page=2"), known=sheets.PARAMS))

    assert len(told("", data)) == 150
    assert len(sheet.page.object_list) == 50


def test_a_cell_of_csv_is_no_formula() -> None:
    text = ask("format=csv", [Row(node="=1+1", jobs=2)]).getvalue().decode()

    assert list(csv.reader(io.StringIO(text))) == [["node", "jobs"], ["'=1+1", "2"]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sort=moon", "one of node, jobs"),
        ("columns=node,moon", "not 'moon'"),
        ("page=1000000000", "between 1 and 1"),
        ("page=0", "between 1 and 1"),
        ("format=xml", "one of html, json, csv"),
    ],
)
def test_a_bad_address_names_the_value_and_the_range(query: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        ask(query, rows())
