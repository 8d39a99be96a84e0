"""The table of what the exporter's changes are worth."""

import export_passes


def test_every_change_has_a_row_with_a_time_for_each_network(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "speed.md"
    page.write_text("# Speed\n\n<!-- passes -->\n<!-- end -->\n")
    (tmp_path / "weights").symlink_to(export_passes.ROOT / "weights")
    monkeypatch.setattr(export_passes, "ROOT", tmp_path)
    monkeypatch.setattr(export_passes, "NETWORKS", ("ghostone-small-heatmap",))
    monkeypatch.setattr(export_passes, "ROUNDS", 1)

    assert export_passes.main([]) == 0

    head, _, *rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert head == "| ms for one face | `ghostone-small-heatmap` |"
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [name for name, _ in cells] == [*export_passes.PASSES, export_passes.IN_INT8]
    assert all(0 < float(ms) < 1000 for _, ms in cells)
