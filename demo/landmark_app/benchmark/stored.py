"""What was measured before, on other machines, and is stored in docs/: errors and latencies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landmark_app.models import Choice, Models
from pfld.benchmark.backends import BackendSpeed
from pfld.weights.shipped import find_weights

DOCS = Path(__file__).parents[3] / "docs"
STORED_ON = "an Intel Xeon with AVX-512"  # where docs/speed.json was measured
_SAME_NME = 1e-6  # weights whose errors differ by less are those that docs/accuracy.json is about
_SAME_SIZE = 0.02  # files of one architecture differ by less, as their metadata do
_INTERVAL = "95 % interval"
# Names of forms in docs/accuracy.json. Folded networks find the points of the train-time network.
_FORMS = {
    "train-time": "train-time",
    "reparameterized": "train-time",
    "onnx": "ONNX",
    "onnx-int8": "ONNX int8",
    "openvino": "ONNX",
}


@dataclass(frozen=True)
class NetworkError:
    """A network's error (NME) on the test list, as fractions of the distance of the outer eye corners.

    Attributes:
        nme: By mode.
        interval: 95 % interval of the mean; None where it is not known.
    """

    nme: dict[str, float]
    interval: tuple[float, float] | None


def network_errors(models: Models) -> dict[str, NetworkError]:
    """Errors of the networks that have one, from docs/accuracy.json.

    Weights that were trained anew are not those of that file: the error is then that of the weight file,
    if it has one, for all modes but int8.
    """
    stored, found = _read("accuracy.json"), {}
    for network in models.networks:
        try:
            own = models.metadata(network).metrics.get("test_nme")
        except (ValueError, OSError):  # damaged weights; the tabs say so
            continue
        entry = stored.get(network, {})
        if own is not None and abs(entry.get("train-time", 0.0) - own) < _SAME_NME:
            low, high = entry[_INTERVAL]
            nme = {mode: entry[form] for mode, form in _FORMS.items()}
            found[network] = NetworkError(nme, (low, high))
        elif own is not None:
            nme = {mode: own for mode in _FORMS if mode != "onnx-int8"}
            found[network] = NetworkError(nme, None)
    return found


def stored_speeds() -> dict[Choice, BackendSpeed]:
    """Speeds and sizes on one thread of :data:`STORED_ON`, from docs/speed.json.

    They hold for weights that were trained anew as well, but not for ones of another size.
    """
    rows: list[dict[str, Any]] = _read("speed.json").get("backends", [])
    return {
        Choice(row["network"], row["backend"]): BackendSpeed(**row)
        for row in rows
        if row["threads"] == 1 and _has_size(row["network"], row["backend"], row["file_mib"])
    }


@dataclass(frozen=True)
class PublishedNetwork:
    """Weights that others have published.

    Attributes:
        nme: Error on the test list, as in :class:`NetworkError`.
    """

    name: str
    nme: float


def published_networks() -> dict[str, PublishedNetwork]:
    """Published weights by the network of the same architecture, from docs/published.json."""
    rows: dict[str, Any] = _read("published.json").get("networks", {})
    return {network: PublishedNetwork(**row) for network, row in rows.items()}


def _has_size(network: str, backend: str, file_mib: float) -> bool:
    try:
        size = find_weights(network, backend).stat().st_size
    except (FileNotFoundError, ValueError):
        return False
    return abs(size / 2**20 / file_mib - 1) < _SAME_SIZE


def _read(name: str) -> dict[str, Any]:
    path = DOCS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
