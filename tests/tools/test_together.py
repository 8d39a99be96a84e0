"""The table of errors of several looks and networks together."""

import pytest

import together
from pfld.data.wflw_writer import write_wflw_layout
from pfld.synthetic.faces import synthetic_faces


def test_table_has_the_errors_of_means(tmp_path, monkeypatch):
    data = tmp_path / "faces"
    write_wflw_layout(synthetic_faces(3, size=160, seed=6), data, split="test")
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "family.md"
    page.write_text("<!-- together -->\n<!-- end -->\n")
    (tmp_path / "weights").symlink_to(together.ROOT / "weights")
    monkeypatch.setattr(together, "ROOT", tmp_path)
    alone, both = ("ghostone-small",), ("ghostone-small", "ghostone-small-heatmap")
    monkeypatch.setattr(together, "GROUPS", (alone, both, both[1:]))

    assert together.main(["--data", str(data)]) == 0

    head, _, *rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert head == "| mean of | one look | with its mirror image | six views |"
    first, mean, second = ([float(cell) for cell in row.split("|")[2:-1]] for row in rows)
    for one, two, other in zip(first, mean, second):
        assert 0 < two <= (one + other) / 2 + 0.01  # distances are convex
    assert first[0] != pytest.approx(first[1], abs=1e-3)
