"""The About tab: re-parameterization in one picture, terms, model cards, privacy, sources, licences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

import gradio as gr

from landmark_app.benchmark.stored import NetworkError, network_errors, stored_speeds
from landmark_app.look import about_texts
from landmark_app.look.fold_picture import fold_picture
from landmark_app.look.glossary import glossary_html
from landmark_app.look.tables import table
from landmark_app.models import Choice, Models
from landmark_app.tabs.controls import mode_choices
from pfld.benchmark.backends import BackendSpeed
from pfld.weights.metadata import WeightMetadata

_CARD = Path(__file__).parents[3] / "weights" / "README.md"
_HEADS = {
    "Network": "",
    "Runs as": "",
    "Error, test list": "Mean error of the ONNX form on 184 hard faces of WFLW, with human labels. In "
    "brackets the 95 % interval.",
    "Error, held out": "Mean error on training pictures that were not trained on. Most of their labels come "
    "from networks, so it is lower than with human labels.",
    "Parameters": "Of the train-time network, and once it is re-parameterized.",
    "Trained on": "",
    "Licence": "Of the weights.",
}


def about_tab(models: Models) -> None:
    """Builds the tab."""
    gr.HTML(about_html(models), apply_default_css=False)
    if _CARD.is_file():
        with gr.Accordion("The whole model card: results, training and limits", open=False):
            gr.Markdown(
                without_links(_CARD.read_text(encoding="utf-8")), elem_classes="pf-model-card"
            )


def about_html(models: Models) -> str:
    """The tab's content, but for the model card."""
    fold = f"{fold_picture()}<div>{about_texts.FOLD}</div>"
    columns = (
        ("Privacy", about_texts.PRIVACY),
        ("Limits", about_texts.LIMITS),
        ("What the words mean", glossary_html()),
        ("Papers and sources", about_texts.sources_html()),
        ("Licences", about_texts.licences_html()),
    )
    return (
        _section("What re-parameterization does", fold, "pf-fold-section")
        + _section("Networks", _cards(models) + about_texts.FACES98)
        + f'<div class="pf-about-columns">{"".join(_section(*part) for part in columns)}</div>'
    )


def _section(title: str, text: str, kind: str = "") -> str:
    return f'<section class="pf-about {kind}"><h2>{title}</h2>{text}</section>'


def without_links(markdown: str) -> str:
    """Markdown without pictures and without links to other files, which the page cannot open."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)\s*", "", markdown)
    text = re.sub(r"\[([^\]]+)\]\((?!https?://)[^)]*\)", r"\1", text)
    return re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)


def _cards(models: Models) -> str:
    """A table with a row for each network, from its weight file and what was measured."""
    errors, speeds = network_errors(models), stored_speeds()
    rows = [_card(models, network, errors, speeds) for network in models.networks]
    return table(_HEADS, rows, "Networks", "pf-lines")


def _card(
    models: Models,
    network: str,
    errors: Mapping[str, NetworkError],
    speeds: Mapping[Choice, BackendSpeed],
) -> str:
    name = f'<th scope="row">{escape(network)}</th>'
    try:
        metadata = models.metadata(network)
    except (ValueError, OSError) as failure:
        return f'{name}<td colspan="{len(_HEADS) - 1}">{escape(str(failure))}</td>'
    error = errors.get(network)
    facts = (
        ", ".join(title for title, _ in mode_choices(models, network)),
        _error_text(error),
        _percent(metadata.metrics.get("validation_nme")),
        _parameters(network, speeds),
        metadata.training_data,
        _licence(metadata),
    )
    return name + "".join(f"<td>{escape(fact)}</td>" for fact in facts)


def _error_text(error: NetworkError | None) -> str:
    if error is None:
        return "–"
    text = _percent(error.nme["onnx"])
    if error.interval is None:
        return text
    low, high = error.interval
    return f"{text} ({100 * low:.2f} to {100 * high:.2f})"


def _parameters(network: str, speeds: Mapping[Choice, BackendSpeed]) -> str:
    """Millions in both forms, or once where they are alike."""
    forms = (speeds.get(Choice(network, mode)) for mode in ("train-time", "reparameterized"))
    texts = [f"{form.parameters / 1e6:.2f}" for form in forms if form and form.parameters]
    return " → ".join(dict.fromkeys(texts)) + " million" if texts else "–"


def _licence(metadata: WeightMetadata) -> str:
    """The licence's main word; the text below the table says why."""
    return metadata.license.partition(",")[0]


def _percent(error: float | None) -> str:
    return "–" if error is None else f"{100 * error:.2f} %"
