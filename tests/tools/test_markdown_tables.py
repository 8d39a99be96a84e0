"""Tables that tools rewrite in Markdown files."""

import pytest

from markdown_tables import percent, rewrite, table


def test_only_what_stands_between_the_marks_is_rewritten(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- a -->\nold\n\nold\n<!-- end -->\nbetween\n<!-- b -->\n<!-- end -->\n"
    )
    rewrite(page, {"a": table(["", "NME"], [["one", percent(0.0564)]]), "b": r"\1"})
    assert page.read_text() == (
        "before\n<!-- a -->\n|  | NME |\n| --- | --- |\n| one | 5.64 |\n<!-- end -->\nbetween\n"
        "<!-- b -->\n\\1\n<!-- end -->\n"
    )


def test_a_mark_that_is_missing_or_twice_there_is_an_error_and_nothing_is_written(tmp_path):
    page = tmp_path / "page.md"
    text = "<!-- a -->\n<!-- end -->\n<!-- b -->\n<!-- end -->\n<!-- b -->\n<!-- end -->\n"
    page.write_text(text)
    with pytest.raises(ValueError, match="2 places marked b"):
        rewrite(page, {"a": "new", "b": "new"})
    with pytest.raises(ValueError, match="0 places marked c"):
        rewrite(page, {"c": "new"})
    assert page.read_text() == text
