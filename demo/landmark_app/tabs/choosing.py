"""Radio buttons for the network and its mode, and Python code with what is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from landmark_app.models import Choice, Models
from landmark_app.tabs.controls import folds, mode_choices

# Tells what Live has chosen, whenever that has changed since and this is in sight.
_FOLLOW_LIVE = """
let told = props.told;
const tell = () => {
  const store = window.pfldStore;
  if (element.offsetParent === null) return;
  const now = { network: store.get("network", told.network), mode: store.get("mode", told.mode) };
  if (now.network === told.network && now.mode === told.mode) return;
  told = now;
  trigger("select", { index: 0, value: now });
};
const begin = () => {
  if (!window.pfldStore) return window.setTimeout(begin, 100); // Live, which makes it, comes later
  for (const name of ["network", "mode"]) window.pfldStore.watch(name, () => window.setTimeout(tell, 0));
  new IntersectionObserver(tell, { rootMargin: "9999px" }).observe(element);
};
begin();
"""

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# Through the queue, as the page is told only there that a state has changed; no call waits for another.
_AT_ONCE = _QUIET | {"concurrency_limit": None}


def choose_network(models: Models) -> gr.State:
    """Adds radio buttons for the network and for the modes it has; what Live chooses, they choose too.

    Returns:
        The :class:`landmark_app.models.Choice`. Unlike the buttons, which change one after the other, it is
        one that exists at any time.
    """
    default = models.default
    choice = gr.State(default)
    network = gr.Radio(
        list(models.networks), value=default.network, label="Network", interactive=True
    )
    mode = gr.Radio(
        mode_choices(models, default.network),
        value=default.mode,
        label="Mode",
        info=_mode_info(models, default.network),
        interactive=True,
    )
    live = gr.HTML(
        html_template="<i></i>",
        elem_classes="pf-unseen",
        js_on_load=_FOLLOW_LIVE,
        apply_default_css=False,
        told={"network": default.network, "mode": default.mode},
    )

    def follow(chosen: gr.SelectData) -> tuple[Any, ...]:
        wanted = chosen.value if isinstance(chosen.value, dict) else {}
        return chosen_as(models, wanted.get("network"), wanted.get("mode"))

    buttons, all_parts = [network, mode], [network, mode, choice]
    network.input(lambda *names: chosen_as(models, *names)[1:], buttons, [mode, choice], **_AT_ONCE)
    mode.input(lambda *names: Choice(*names), buttons, choice, **_AT_ONCE)
    live.select(follow, None, all_parts, **_AT_ONCE)
    return choice


def chosen_as(models: Models, network: object, mode: object) -> tuple[Any, ...]:
    """Updates of both radio buttons, and the choice; an unknown network changes nothing.

    Args:
        mode: If the network is not offered in it, the preferred one takes its place.
    """
    if network not in models.networks:
        return gr.skip(), gr.skip(), gr.skip()
    name = str(network)
    choices = mode_choices(models, name)
    is_offered = mode in [value for _, value in choices]
    choice = Choice(name, str(mode)) if is_offered else models.preferred(name)
    modes = gr.Radio(choices=choices, value=choice.mode, info=_mode_info(models, name))
    return gr.Radio(value=name), modes, choice


def python_code(snippet: Callable[[Choice], str], default: Choice, choice: gr.State) -> None:
    """Shows code that does what the tab shows, for the network and mode that are chosen."""
    with gr.Accordion("Python code for this", open=False):
        code = gr.HTML(snippet(default), apply_default_css=False)
    choice.change(snippet, choice, code, queue=False, **_QUIET)


def _mode_info(models: Models, network: str) -> str:
    if not folds(models, network):
        return "This network has no branches to fold."
    return "Train-time runs every branch; the others run them folded into one."
