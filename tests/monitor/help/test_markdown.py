"""Documents become blocks: what our Markdown has, and nothing that is not escaped."""

from __future__ import annotations

import pytest

from monitor.help.markdown import anchor, blocks, inline


def nowhere(target: str) -> str:
    return ""


def everywhere(target: str) -> str:
    return f"/to/{target}"


def kinds(source: str) -> list[str]:
    return [block.kind for block in blocks(source, where=nowhere)]


def test_a_document_is_read_block_by_block() -> None:
    source = "# Title\n\nOne\ntwo.\n* a\n  b\n* c\n\n1. x\n2. y\n```\ncode *as* <is>\n```\nend"
    found = blocks(source, where=nowhere)
    assert [block.kind for block in found] == [
        "heading", "paragraph", "bullets", "numbers", "code", "paragraph",
    ]  # fmt: skip
    assert found[1].text == "One two."
    assert [*found[2].items] == ["a b", "c"]
    assert [*found[3].items] == ["x", "y"]
    assert found[4].text == "code *as* <is>"


def test_a_table_has_a_head_and_rows() -> None:
    (table,) = blocks("| a | b |\n|---|---|\n| `x` | y \\| z |", where=nowhere)
    assert ([*table.head], [[*row] for row in table.rows]) == (
        ["a", "b"],
        [["<code>x</code>", "y | z"]],
    )


def test_code_bold_and_links_are_marked() -> None:
    text = inline("**see `a`** in [the `b`](c.md) & more", where=everywhere)
    assert text == (
        "<strong>see <code>a</code></strong> in "
        '<a href="/to/c.md">the <code>b</code></a> &amp; more'
    )


def test_a_star_between_words_is_a_star() -> None:
    assert (
        inline("*a b* and 2 * 3 * 4, x*y*z", where=nowhere) == "<em>a b</em> and 2 * 3 * 4, x*y*z"
    )


def test_a_link_that_leads_nowhere_is_text() -> None:
    assert inline("[x](javascript:alert(1))", where=nowhere).startswith("x")


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_nothing_of_a_document_is_taken_for_html(evil: str) -> None:
    for source in (evil, f"# {evil}", f"* {evil}", f"| {evil} |\n|---|\n| {evil} |", f"**{evil}**"):
        (block,) = blocks(source, where=everywhere)
        shown = [
            block.text,
            *block.items,
            *block.head,
            *(cell for row in block.rows for cell in row),
        ]
        assert not any("<script" in text or "<img" in text for text in shown)


def test_an_unfinished_fence_ends_with_the_document() -> None:
    assert kinds("```\na\nb") == ["code"]
    assert kinds("") == []


def test_a_heading_is_named_as_links_name_it() -> None:
    assert anchor("Behind PgBouncer") == "behind-pgbouncer"
    assert anchor("Calendar, lists, logbooks") == "calendar-lists-logbooks"
