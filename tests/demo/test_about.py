"""The About tab: what it says of each network, and that its links lead somewhere."""

import re
from dataclasses import replace

from landmark_app.browser.routes import routes
from landmark_app.models import Models
from landmark_app.tabs.about import _CARD, about_html, without_links
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


def test_shipped_networks_have_their_error_and_sizes():
    models = Models("ghostone")
    (row,) = re.findall(r"<tr><th scope=\"row\">ghostone</th>.*?</tr>", about_html(models))
    error = models.metadata("ghostone").metrics["test_nme"]
    assert f"{100 * error:.2f} %" in row and "2.75 → 0.70 million" in row and "faces98" in row


def test_links_within_the_app_are_to_files_that_it_serves():
    links = re.findall(r'href="([^"]+)"', about_html(Models()))
    own = {link for link in links if not link.startswith("https://")}
    assert own and {f"/{link}" for link in own} <= {route.path for route in routes()}


def test_links_to_elsewhere_tell_nobody_where_they_were_followed():
    links = re.findall(r"<a [^>]*https://[^>]*>", about_html(Models()))
    assert len(links) >= 10 and all('rel="noopener noreferrer"' in link for link in links)


def test_the_model_card_has_no_link_or_picture_that_the_page_cannot_open():
    text = without_links(_CARD.read_text(encoding="utf-8"))
    assert "](" not in text.replace("](https://", "") and "<!--" not in text
    assert "docs/family.md" in text and "| --- |" in text


def test_pictures_and_comments_are_left_out_and_links_become_their_words():
    text = "a ![p](x.png) b [c](../d.md) [e](https://example.org) <!-- f -->\ng"
    assert without_links(text) == "a b c [e](https://example.org) g"
