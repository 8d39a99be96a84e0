"""Landmarks in browsers: scripts, ONNX Runtime for WebAssembly, and the list of all files that are served."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

from pfld.web.link_preview import PICTURE, preview_tags
from pfld.weights.shipped import PORTRAIT, SHIPPED, shipped_networks

WEB = Path(__file__).parent
INDEX = "index.html"
DETECTOR = WEB.parent / "runtime" / "models" / "face_detection_short_range.onnx"
VENDORED = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "README.md",
    "LICENSE",
    "ThirdPartyNotices.txt",
)


def runtime_files(networks: Iterable[str] | None = None) -> dict[str, Path]:
    """Files that landmarks in a browser need, by their path relative to one common address.

    Args:
        networks: Whose ONNX files are included, in float32 and int8; all shipped ones by default.

    Raises:
        FileNotFoundError: For a network that is not shipped.
    """
    known = shipped_networks("onnx")
    wanted = known if networks is None else tuple(dict.fromkeys(networks))
    missing = [name for name in wanted if name not in known]
    if missing:
        have = ", ".join(known) or "none"
        raise FileNotFoundError(f"no ONNX weights of {', '.join(missing)}; there are {have}")
    models = [SHIPPED / f"{name}{ending}.onnx" for name in wanted for ending in ("", "-int8")]
    vendor = WEB / "vendor" / "onnxruntime-web"
    return {
        **{f"modules/{path.name}": path for path in sorted((WEB / "modules").glob("*.js"))},
        **{f"vendor/onnxruntime-web/{name}": vendor / name for name in VENDORED},
        **{f"models/{path.name}": path for path in (DETECTOR, *models) if path.is_file()},
    }


def link_files() -> dict[str, Path]:
    """Icons of a page and the picture of a link to it, by their names."""
    return {path.name: path for path in (PICTURE, *sorted(PICTURE.parent.glob("icon.*")))}


def site_files(networks: Iterable[str] | None = None) -> dict[str, Path]:
    """Files of the static page besides ``index.html``, by their path in its folder.

    Raises:
        FileNotFoundError: As :func:`runtime_files`.
    """
    pages = (path for path in sorted((WEB / "site").iterdir()) if path.name != INDEX)
    return {
        **{path.name: path for path in pages if path.is_file()},
        "example.jpg": PORTRAIT,
        **runtime_files(networks),
    }


def index_page(networks: Iterable[str], address: str = "") -> str:
    """The static page ``index.html``, which offers these networks.

    Args:
        address: Where the page will be, with a slash at its end, if that is known; as
            :func:`preview_tags` takes it.
    """
    page = (WEB / "site" / INDEX).read_text(encoding="utf-8")
    page = page.replace("{preview}", preview_tags(address, PICTURE.name))
    return page.replace("{networks}", html.escape(" ".join(networks), quote=True))
