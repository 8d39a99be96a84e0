"""Variables of the environment that could change what Gradio's server does, removed before it is imported."""

from __future__ import annotations

from collections.abc import MutableMapping

from landmark_app.server.home import Home


def prepare(environment: MutableMapping[str, str], home: Home, *, keep_proxies: bool) -> list[str]:
    """Has Gradio keep its files in the app's folder, and forget its variables and web proxies.

    The app asks nobody for anything, so it needs no proxies; ones that cannot be used would be an error.

    Args:
        keep_proxies: Whether to leave the proxies, which a public link may need.

    Returns:
        What was set without effect, in words.
    """
    own = sorted(name for name in environment if name.upper().startswith("GRADIO_"))
    proxies = [name for name in environment if name.lower().endswith("_proxy")]
    for name in own if keep_proxies else [*own, *proxies]:
        del environment[name]
    environment["GRADIO_TEMP_DIR"] = str(home.files)
    environment["GRADIO_ANALYTICS_ENABLED"] = "False"
    home.use_for_temporary_files()
    unheeded = [name for name in own if name not in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED")]
    return [f"Without effect here: {', '.join(unheeded)}"] if unheeded else []
