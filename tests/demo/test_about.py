"""The About tab: what it says of each network."""

from dataclasses import replace

from landmark_app.models import Models
from landmark_app.tabs.about import about_html
from support.fake_models import FakeBackend, fake_models


def test_networks_tell_their_errors(tmp_path, monkeypatch):
    def load(network, mode):
        backend = FakeBackend(mode)
        backend.metadata = replace(
            backend.metadata, training_data="<faces>", metrics={"test_nme": 0.0612}
        )
        return backend

    text = about_html(fake_models(monkeypatch, tmp_path, load=load))
    assert '<th scope="row">face</th>' in text and "6.12 %" in text and "–" in text
    assert "&lt;faces&gt;" in text and "<faces>" not in text


def test_a_network_that_does_not_load_says_why(tmp_path, monkeypatch):
    def load(network, mode):
        raise ValueError("damaged & gone")

    assert "damaged &amp; gone" in about_html(fake_models(monkeypatch, tmp_path, load=load))


def test_the_page_loads_no_network():
    loaded = []
    models = Models("ghostone", load=lambda *choice: loaded.append(choice))
    text = about_html(models)
    assert loaded == []
    assert all(f'<th scope="row">{name}</th>' in text for name in models.networks)
