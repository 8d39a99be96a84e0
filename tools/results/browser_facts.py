"""Facts that the browser's scripts need, rewritten: ``python tools/results/browser_facts.py``.

Writes ``pfld/web/modules/facts.js``: points and colours from the Python package, sizes counted from
the weight files. So run it after weights were added or changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

from pfld.benchmark.backends import size_of
from pfld.draw import AXIS_COLORS, CURVES, GROUP_COLORS, RIM_COLOR
from pfld.head.model import head_points
from pfld.landmarks import WFLW_98
from pfld.weights.files import read_metadata
from pfld.weights.metadata import FORMS
from pfld.weights.shipped import SHIPPED, shipped_networks
from readme_table import ROOT

FACTS = ROOT / "pfld" / "web" / "modules" / "facts.js"


def facts() -> str:
    """The content of the file."""
    values = {"SCHEME": scheme(), "HEAD": head_points().tolist(), "NETWORKS": networks()}
    lines = [
        "// Written by tools/results/browser_facts.py from the Python package and the weight files."
    ]
    lines += [f"export const {name} = {json.dumps(value)};" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def scheme() -> dict[str, Any]:
    """What is drawn, and which points are each other's mirror images."""
    return {
        "mirror": WFLW_98.mirror,
        "outerEyeCorners": WFLW_98.outer_eye_corners,
        "curves": [[_css(group), list(run), closed] for group, run, closed in CURVES[WFLW_98.name]],
        "groups": [[_css(group), list(run)] for group, run in WFLW_98.groups.items()],
        "axes": [f"rgb{color}" for color in AXIS_COLORS],
        "rim": f"rgba{(*RIM_COLOR, 0.85)}",
    }


def networks() -> dict[str, dict[str, Any]]:
    """Of each network: parameters and multiplications in both forms, and the sizes of its files in bytes."""
    found = {}
    for name in shipped_networks("train-time"):
        metadata = read_metadata(SHIPPED / f"{name}.safetensors")
        sizes = {form: size_of(replace(metadata, form=form)) for form in FORMS}
        files = {
            file: (SHIPPED / file).stat().st_size
            for file in (f"{name}.onnx", f"{name}-int8.onnx")
            if (SHIPPED / file).is_file()
        }
        found[name] = {"sizes": sizes, "files": files, "licence": metadata.license}
    return found


def _css(group: str) -> str:
    return f"rgb{GROUP_COLORS[group]}"


def main(argv: list[str] | None = None) -> int:
    """Rewrites the file; returns the exit status."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)
    FACTS.write_text(facts(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
