"""Tables of docs/speed.md from the benchmark's JSON."""

import json

import speed_tables


def test_tables_have_what_was_measured(tmp_path, monkeypatch):
    rows = [
        {"network": "a", "backend": "onnx", "threads": 1, "p50_ms": 2.126},
        {"network": "a", "backend": "onnx", "threads": 2, "p50_ms": 1.5},
        {"network": "b", "backend": "train-time", "threads": 1, "p50_ms": 40.0},
    ]
    video = [
        {"name": "slow", "p50_ms": 3.0, "mean_ms": 4.0},
        {"name": "fast", "p50_ms": 1.0, "mean_ms": 2.0},
    ]
    (tmp_path / "speed.json").write_text(json.dumps({"backends": rows, "video": video}))
    marks = "<!-- networks -->\n<!-- end -->\n\n<!-- video -->\n<!-- end -->\n"
    (tmp_path / "speed.md").write_text(f"# Speed\n\n{marks}")
    monkeypatch.setattr(speed_tables, "DOCS", tmp_path)

    assert speed_tables.main([]) == 0

    lines = (tmp_path / "speed.md").read_text().splitlines()
    assert lines[0] == "# Speed"
    assert "| `a` |  |  | 2.13 |  |" in lines
    assert "| `b` | 40.00 |  |  |  |" in lines
    assert [line for line in lines if line.startswith(("| fast", "| slow"))] == [
        "| fast | 1.00 | 2.00 | 500 |",
        "| slow | 3.00 | 4.00 | 250 |",
    ]
