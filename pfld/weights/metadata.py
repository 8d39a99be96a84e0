"""Metadata of weight files, as text that safetensors and ONNX files carry alike."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pfld.landmarks import LandmarkScheme, scheme_named
from pfld.preprocess import Preprocessing

if TYPE_CHECKING:
    from pfld.networks import LandmarkNetwork

FORMAT_VERSION = 1
HEADS = ("regression", "heatmap")
BRANCHED = ("ghostone",)  # networks whose blocks have branches while training
FORMS = ("train-time", "reparameterized")
PRECISIONS = ("float32", "int8")
NORMALISED, PIXELS = "normalised-crops", "uint8-crops"


@dataclass(frozen=True)
class WeightMetadata:
    """All that is needed to build a network, feed it and read its output. Stored with the weights.

    Attributes:
        network: Name that :func:`pfld.networks.build_network` knows.
        head: "regression" or "heatmap".
        landmark_scheme: Name of one of :data:`pfld.landmarks.SCHEMES`.
        num_conv_branches: Convolutions per block of a train-time ``ghostone``; unused otherwise.
        form: "train-time" or "reparameterized".
        precision: Of the weights and of the maps between layers: "float32", or "int8" for most of them.
        interface: "normalised-crops": input as ``preprocessing`` makes it, output in fractions of the crop.
            "uint8-crops": RGB pixels as input, output in pixels; the file does ``preprocessing`` itself.
        training_data: What the weights were trained on, in words.
        license: What the weights may be used for, in words.
        metrics: Results by name; the name says split, crop and normaliser.

    Raises:
        ValueError: For an unknown scheme, head, form, precision or interface, numbers out of range or
            not finite.
    """

    network: str
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    landmark_scheme: str = "wflw-98"
    head: str = "regression"
    width_multiplier: float = 1.0
    num_conv_branches: int = 6
    form: str = "train-time"
    precision: str = "float32"
    interface: str = NORMALISED
    training_data: str = "unknown"
    license: str = "as the training data allow"
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scheme_named(self.landmark_scheme)
        for name, known in (
            ("head", HEADS),
            ("form", FORMS),
            ("precision", PRECISIONS),
            ("interface", (NORMALISED, PIXELS)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
                )
        if not 1 <= self.num_conv_branches <= 64:
            raise ValueError(f"num_conv_branches must be 1 to 64, got {self.num_conv_branches}")
        if not all(math.isfinite(value) for value in self.metrics.values()):
            raise ValueError(f"metrics must be finite numbers, got {dict(self.metrics)}")

    @property
    def architecture(self) -> str:
        """Network and head in one name, such as "ghostone" or "ghostone-heatmap"."""
        return architecture_name(self.network, self.head)

    @property
    def has_branches(self) -> bool:
        """Whether the train-time network has branches that re-parameterizing folds."""
        return self.network in BRANCHED

    @property
    def knows_uncertainty(self) -> bool:
        """Whether the network gives the uncertainty of each landmark."""
        return self.head == "heatmap"

    @property
    def scheme(self) -> LandmarkScheme:
        """The landmark scheme itself."""
        return scheme_named(self.landmark_scheme)

    @property
    def num_landmarks(self) -> int:
        """Points the network finds."""
        return self.scheme.num_landmarks

    def to_strings(self) -> dict[str, str]:
        """Flat text for safetensors' metadata and ONNX's ``metadata_props``; other values as JSON."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "preprocessing"}
        own["metrics"] = dict(self.metrics)
        values = {"format_version": FORMAT_VERSION, "num_landmarks": self.num_landmarks}
        values |= own | asdict(self.preprocessing)
        return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str]) -> WeightMetadata:
        """The inverse of :meth:`to_strings`; further entries are ignored.

        Raises:
            ValueError: For another format version, an entry that is missing or invalid, or a
                landmark count that is not the scheme's.
        """
        version = strings.get("format_version")
        if version != str(FORMAT_VERSION):
            raise ValueError(
                f"format version {FORMAT_VERSION} is understood here, the file has "
                f"{version or 'none'}; update pfld, or export the weights with this one"
            )
        try:
            metrics = {str(k): float(v) for k, v in json.loads(strings["metrics"]).items()}
            metadata = cls(
                strings["network"],
                Preprocessing(
                    input_size=int(strings["input_size"]),
                    channel_order=strings["channel_order"],
                    mean=_one_per_channel(strings["mean"]),
                    std=_one_per_channel(strings["std"]),
                    crop_scale=float(strings["crop_scale"]),
                ),
                landmark_scheme=strings["landmark_scheme"],
                # Older files lack this entry, and likewise precision and interface below.
                head=strings.get("head", "regression"),
                width_multiplier=float(strings["width_multiplier"]),
                num_conv_branches=int(strings["num_conv_branches"]),
                form=strings["form"],
                precision=strings.get("precision", "float32"),
                interface=strings.get("interface", NORMALISED),
                training_data=strings["training_data"],
                license=strings.get("license", cls.license),
                metrics=metrics,
            )
            count = int(strings["num_landmarks"])
        except KeyError as error:
            raise ValueError(f"the file's metadata lacks {error}") from error
        except (TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"the file's metadata makes no sense: {error}") from error
        if count != metadata.num_landmarks:
            raise ValueError(
                f"scheme {metadata.landmark_scheme} has {metadata.num_landmarks} landmarks, "
                f"the file's metadata says {count}"
            )
        return metadata

    def build(self) -> LandmarkNetwork:
        """The network described, freshly initialised.

        Raises:
            ValueError: For a network, width or input size that is not known.
        """
        from pfld.networks import build_network

        return build_network(
            self.network,
            head=self.head,
            width_multiplier=self.width_multiplier,
            num_landmarks=self.num_landmarks,
            input_size=self.preprocessing.input_size,
            num_conv_branches=self.num_conv_branches,
            reparameterized=self.form == "reparameterized",
        )


def architecture_name(network: str, head: str) -> str:
    """``network`` alone with the head it was published with, else both."""
    return network if head == HEADS[0] else f"{network}-{head}"


def require_channel_order(metadata: WeightMetadata, channel_order: str | None, path: Path) -> None:
    """Raises ValueError when a channel order is asked for that the file contradicts."""
    own = metadata.preprocessing.channel_order
    if channel_order not in (None, own):
        raise ValueError(
            f"{path} says its channel order is {own}, got {channel_order}; leave the order out, it is "
            "for checkpoints that do not say"
        )


def _one_per_channel(text: str) -> tuple[float, float, float]:
    values = tuple(map(float, json.loads(text)))
    if len(values) != 3:
        raise ValueError(f"mean and std have 3 numbers, got {values}")
    return values
