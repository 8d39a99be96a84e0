"""Folders of results that others have prepared: nothing outside them is written to, removed or run."""

import json
import os
import sqlite3

import pytest

from pfld.__main__ import main
from pfld.files import visible
from pfld.prediction.folder import _TABLES
from pfld.prediction.sources import find_sources
from support.prediction import files_in, leftovers, photo, results, run


@pytest.fixture
def place(tmp_path):
    """A picture, a folder of results made of it, and a file that is none of their business."""
    photo(tmp_path / "in/a.jpg")
    run(tmp_path / "in", tmp_path / "deep/out", json=True, csv=True)
    (tmp_path / "precious.txt").write_text("precious")
    (tmp_path / "deep/precious.jpg").write_text("precious")
    return tmp_path


def planted(place, statement, *values):
    with sqlite3.connect(place / "deep/out/.predict/record.sqlite") as database:
        database.execute(statement, values)
    database.close()


def again(place, **options):
    return run(place / "in", place / "deep/out", json=True, csv=True, **options)


def outside(place):
    """All files but those of the input and the results."""
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and "in" not in path.parts and place / "deep/out" not in path.parents
    }


TARGETS = {
    "parent": b"../../precious.txt",
    "parent, beside": b"../precious.jpg",
    "parent in the middle": b"a/../../precious.jpg",
    "parent, new": b"../planted.jpg",
    "absolute": b"{place}/precious.txt",
    "absolute, new": b"{place}/planted.jpg",
    "double slash": b"//{place}/precious.txt",
    "the record": b".predict/record.sqlite",
    "the folder": b"",
    "itself": b".",
    "zero": b"a\0.jpg",
    "text": "../../precious.txt",
    "number": 7,
    "none": None,
}


@pytest.mark.parametrize("overwrite", [False, True], ids=["again", "overwrite"])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_targets_outside_are_neither_written_nor_removed(place, target, overwrite):
    if isinstance(target, bytes):
        target = target.replace(b"{place}", os.fsencode(place))
    before = outside(place)
    planted(place, "UPDATE source SET target = ?, stamp = NULL", target)
    if overwrite:
        assert again(place, overwrite=True).pictures == 1
        assert files_in(place / "deep/out") == ["a.jpg", "faces.csv", "faces.jsonl"]
    else:
        with pytest.raises(ValueError, match="record .*record.sqlite is damaged"):
            again(place)
    assert outside(place) == before


@pytest.mark.parametrize("overwrite", [False, True], ids=["again", "overwrite"])
def test_a_link_on_the_way_is_not_followed(place, overwrite):
    (place / "deep/out/sub").symlink_to(place)
    (place / "in/sub").mkdir()
    photo(place / "in/sub/precious.txt.jpg")
    planted(place, "INSERT INTO source VALUES (9, x'00', ?, NULL, NULL)", b"sub/precious.txt")
    before = outside(place)
    summary = again(place, overwrite=overwrite)
    assert [problem for problem in summary.problems if "is a link" in problem] == summary.problems
    assert len(summary.problems) == 1 and outside(place) == before
    assert [line["source"] for line in results(place / "deep/out")] == [str(place / "in/a.jpg")]


@pytest.mark.parametrize("name", [".predict", ".predict/record.sqlite"])
@pytest.mark.parametrize("overwrite", [False, True], ids=["again", "overwrite"])
def test_a_record_that_is_a_link_is_refused(place, name, overwrite):
    link = place / "deep/out" / name
    link.rename(place / "elsewhere")
    link.symlink_to(place / "elsewhere")
    before = outside(place)
    with pytest.raises(ValueError, match="is a link, which is not followed"):
        again(place, overwrite=overwrite)
    assert outside(place) == before


@pytest.mark.parametrize(
    "name", ["a.jpg", "faces.jsonl", ".predict/partial.jpg", ".predict/partial.jsonl"]
)
def test_links_in_place_of_results_are_replaced(place, name):
    link = place / "deep/out" / name
    link.unlink(missing_ok=True)
    link.symlink_to(place / "precious.txt")
    before = outside(place)
    again(place, overwrite=True)
    assert outside(place) == before and not leftovers(place / "deep/out")


STATEMENTS = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON source BEGIN DELETE FROM line; END",
    "view": "CREATE VIEW v AS SELECT 1",
    "endless view": "CREATE VIEW v AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n FROM r) SELECT n "
    "FROM r",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_a_record_with_code_in_it_is_damaged(place, statement):
    planted(place, statement)
    with pytest.raises(ValueError, match="record.sqlite is damaged; --overwrite begins anew"):
        again(place)
    assert again(place, overwrite=True).pictures == 1


def test_a_view_in_place_of_a_table_is_damage(place):
    path = place / "deep/out/.predict/record.sqlite"
    path.unlink()
    with sqlite3.connect(path) as database:
        for table in _TABLES[::2]:
            database.execute(f"CREATE TABLE {table}")
        rows = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"
        database.execute(f"CREATE VIEW source AS SELECT n AS number, n AS target FROM ({rows})")
    database.close()
    with pytest.raises(ValueError, match="record"):
        again(place)


LINES = [
    "no JSON",
    "[]",
    '{"source": "a"}',
    "[" * 100_000,
    '{"faces": [1], "source": 1}',
    "a\nb",
    b"a",
    7,
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: ascii(line)[:20])
def test_lines_that_no_run_has_written_are_damage(place, line):
    planted(place, "UPDATE line SET text = ?", line)
    with pytest.raises(ValueError, match="record.sqlite is damaged"):
        again(place)


# Names


NAMES = {
    "new line": ("a\nb", "a\\nb"),
    "escape": ("a\x1b]0;owned\x07b", "a\\x1b]0;owned\\x07b"),
    "delete": ("a\x7fb", "a\\x7fb"),
    "eight bits": ("a\x9b31mb", "a\\x9b31mb"),
    "line of Unicode": ("a\u2028b", "a\\u2028b"),
    "reversed": ("a\u202egpj", "a\\u202egpj"),
    "half": ("a\udcff", "a\\udcff"),
    "usual": ("Zoë 李 👩‍🚀 [b]x[/b] %s", "Zoë 李 👩‍🚀 [b]x[/b] %s"),
}


@pytest.mark.parametrize(("name", "shown"), NAMES.values(), ids=NAMES.keys())
def test_names_cannot_steer_the_terminal(name, shown):
    assert visible(name) == shown


@pytest.mark.parametrize("where", ["source", "missing", "out"])
@pytest.mark.parametrize("mark", ["\n", "\x1b]0;owned\x07", "\u202e"], ids=ascii)
def test_names_are_printed_escaped_and_recorded_as_they_are(tmp_path, capfd, where, mark):
    path = tmp_path / f"a{mark}b.jpg"
    if where == "source":
        path.write_bytes(b"no picture")
    out = tmp_path / (f"o{mark}ut" if where == "out" else "out")
    if where == "out":
        photo(path)
    main(["predict", str(path), "--out", str(out), "--json"])
    printed = "".join(capfd.readouterr())
    assert ascii(mark)[1:-1] in printed and mark not in printed.replace(
        "\n", "", 0 if mark != "\n" else -1
    )
    if where == "out":
        assert json.loads((out / "faces.jsonl").read_text())["source"] == str(path)


@pytest.mark.parametrize("number", ["2147483648", "4294967296", "9" * 20, "9" * 5000])
def test_camera_numbers_that_cannot_be_are_named(tmp_path, number):
    sources, problems = find_sources([number], tmp_path / "out")
    assert not sources and problems == [f"{number[:20]}: no camera has such a number"]


def test_camera_numbers_may_begin_with_zeros(tmp_path):
    sources, problems = find_sources(["0" * 30 + "7", "000"], tmp_path / "out")
    assert [source.location for source in sources] == [7, 0] and not problems


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.ts", "a", "a.heic"])
def test_pipes_in_a_folder_are_not_waited_for(tmp_path, name):
    photo(tmp_path / "in/b.jpg")
    os.mkfifo(tmp_path / "in" / name)
    (tmp_path / "in/device.jpg").symlink_to("/dev/zero")
    summary = run(tmp_path / "in", tmp_path / "out")
    assert summary.pictures == 1 and all(
        "no picture at" in p or "no video" in p for p in summary.problems
    )
