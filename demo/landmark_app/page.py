"""The Gradio page: header, tabs, and limits on what visitors may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from landmark_app.browser.routes import HEAD
from landmark_app.camera.admission import Admission
from landmark_app.camera.fold_facts import FoldFacts
from landmark_app.look.theme import make_theme
from landmark_app.models import Models
from landmark_app.tabs.about import about_tab
from landmark_app.tabs.benchmark import benchmark_tab
from landmark_app.tabs.live import live_tab
from landmark_app.tabs.pair import pair_tab
from landmark_app.tabs.photo import photo_tab
from landmark_app.tabs.video import video_tab
from pfld.web.link_preview import PICTURE

_HERE = Path(__file__).parent
_SCRIPT = _HERE / "look" / "page.js"
_HEADER = """
<header class="pf-header">
  <svg class="pf-logo" viewBox="0 0 48 48" aria-hidden="true">
    <path class="pf-logo-face" d="M9 15c0 16 6 26 15 26s15-10 15-26"/>
    <path class="pf-logo-eyes" d="M14 20q3.5-3 7 0M27 20q3.5-3 7 0"/>
    <path class="pf-logo-mouth" d="M18 31q6 4 12 0"/>
    <g class="pf-logo-dots">
    <circle cx="9" cy="15" r="2"/><circle cx="12" cy="29" r="2"/><circle cx="24" cy="41" r="2"/>
    <circle cx="36" cy="29" r="2"/><circle cx="39" cy="15" r="2"/><circle cx="24" cy="25" r="2"/></g>
  </svg>
  <div><h1>PFLD landmarks</h1><p>98 points of your face, in real time, on this machine's CPU</p></div>
  <button type="button" class="pf-button pf-scheme" aria-label="Switch between dark and light">
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path d="M12 3a9 9 0 1 0 0 18z"/><circle cx="12" cy="12" r="9" fill="none"/>
    </svg>
  </button>
</header>
"""


@dataclass(frozen=True)
class Limits:
    """Limits on videos and on the work of all visitors.

    Attributes:
        max_video_s: Longest video, in seconds.
        max_jobs: Photos and videos processed at once, over all visitors; others wait. Benchmarks run
            one at a time.
    """

    max_video_s: float = 120
    max_jobs: int = 2


def build(
    models: Models,
    places: Admission,
    limits: Limits,
    folder: Path,
    facts: FoldFacts | None = None,
) -> gr.Blocks:
    """Builds the page with all its tabs.

    Args:
        places: Limits how many cameras are on at once.
        folder: Where uploads and results are stored; the caller removes it.
        facts: What is known of the networks already.
    """
    facts = facts or FoldFacts(models)
    with gr.Blocks(
        title="PFLD landmarks",
        analytics_enabled=False,
        fill_width=True,
    ) as page:
        gr.HTML(
            html_template=_HEADER,
            js_on_load=_SCRIPT.read_text(encoding="utf-8"),
            apply_default_css=False,
        )
        with gr.Tabs(elem_classes="pf-tabs"):
            with gr.Tab("Live", id="live"):
                live_tab(page, models, places, facts)
            with gr.Tab("Side by side", id="pair"):
                pair_tab(page, models, places, facts, folder)
            with gr.Tab("Photo", id="photo"):
                photo_tab(models, folder)
            with gr.Tab("Video", id="video"):
                video_tab(models, folder, limits.max_video_s)
            with gr.Tab("Benchmark", id="benchmark"):
                benchmark_tab(models, folder)
            with gr.Tab("About", id="about"):
                about_tab(models)
    page.queue(default_concurrency_limit=limits.max_jobs, max_size=32, api_open=False)
    return page


def launch_options() -> dict[str, Any]:
    """Options for ``launch``: theme, style sheet, icon, footer, error messages."""
    return {
        "theme": make_theme(),
        "css_paths": [_HERE / "look" / "style.css", _HERE / "look" / "live.css"],
        "head": HEAD,
        "favicon_path": str(PICTURE.with_name("icon.png")),
        "footer_links": [],
        "ssr_mode": False,
        "quiet": True,
        "show_error": True,
        "state_session_capacity": 500,
    }
