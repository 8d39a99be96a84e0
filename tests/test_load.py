"""Several visitors at once and an end in the middle of their frames, by the tool that measures it."""

import asyncio
from pathlib import Path

import pytest

from pfld.runtime.backends import shipped_networks

TOOLS = Path(__file__).parents[1] / "tools"

if not shipped_networks("onnx"):
    pytest.skip("needs weights/*.onnx", allow_module_level=True)


def test_three_visitors_in_two_places_are_served_or_refused_and_the_app_ends(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.syspath_prepend(str(TOOLS))
    import load_app
    from load_visitors import visits

    monkeypatch.setattr(load_app, "END_S", 30.0)
    monkeypatch.setattr(load_app, "SMALLEST_SHARE", 0.0)
    all_visits = visits(3)
    found = asyncio.run(load_app.load(all_visits, 2, 4.0, tmp_path))
    assert load_app.report(all_visits, 3, 2, found) == [], capsys.readouterr().out
