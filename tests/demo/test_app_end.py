"""The app is told to end before its page is there."""

import signal

import pytest

import app
from support.fake_models import fake_models


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_end_while_it_starts_leaves_nothing_and_says_nothing(
    monkeypatch, tmp_path, capsys, number
):
    weights, kept = tmp_path / "weights", tmp_path / "kept"
    weights.mkdir(), kept.mkdir()
    models = fake_models(monkeypatch, weights)
    monkeypatch.setattr(app, "Models", lambda network: models)
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    monkeypatch.setattr(app, "_serve", lambda *_: signal.raise_signal(number))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert app.main([]) == app.ENDED
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not list(kept.iterdir()) and capsys.readouterr().err == ""
