"""Training configuration: one validated, frozen dataclass, filled from the command line."""

from __future__ import annotations

import argparse
import typing
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pfld.networks import NETWORKS
from pfld.networks.landmark_network import INPUT_SIZES
from pfld.weights.metadata import HEADS, architecture_name

LOSSES = ("wing", "smooth-l1", "rle", "pfld", "pfld-original")
PRECISIONS = ("no", "bf16", "fp16")
HEAD_RATES = {"regression": 0.1, "heatmap": 1.0}  # of the trunk's learning rate
PATHS = frozenset({"data", "out", "cache", "initial_weights", "teacher"})


def _option(default: object, text: str, choices: tuple[str | int, ...] | None = None) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class TrainingConfig:
    """All settings that a run depends on; each is an option of the command line.

    Raises:
        ValueError: For an invalid value, naming the option.
    """

    data: str = _option("", "folder of WFLW, .pts files, COCO keypoints or LaPa, or 'synthetic'")
    out: str = _option("runs/ghostone", "folder for checkpoints, logs and the finished weights")
    cache: str = _option("", "folder for decoded crops (default: .pfld-cache inside --data)")
    allow_missing: float = _option(0.01, "fraction of pictures that may be unreadable")
    synthetic_faces: int = _option(2000, "faces to draw for --data synthetic")
    validation_fraction: float = _option(0.05, "part of the training pictures held out")

    network: str = _option("ghostone", "architecture", tuple(NETWORKS))
    head: str = _option("regression", "how landmarks are computed from feature maps", HEADS)
    width_multiplier: float = _option(1.0, "factor on all channel counts, 0.25..2")
    input_size: int = _option(112, "side of the crop in pixels", tuple(INPUT_SIZES))
    num_conv_branches: int = _option(6, "convolution branches of a MobileOne block")
    plain_branches: bool = _option(False, "train branch by branch instead of folded (slow)")
    initial_weights: str = _option(
        "", "weight file to start from; --head heatmap also takes one with a regression head"
    )
    frozen_statistics: bool = _option(
        False, "normalise by the running statistics of --initial-weights, twice as fast"
    )
    frozen_layers: str = _option(
        "", "last layer, such as conv3_3, that stays as in --initial-weights with all before it"
    )

    faces: int = _option(200_000, "augmented faces to see in all")
    minutes: float = _option(0.0, "minutes to train for in place of --faces; 0: by faces")
    batch_size: int = _option(64, "faces per step, over all processes")
    lr: float = _option(2e-3, "peak learning rate")
    head_lr_fraction: float = _option(
        0.0,
        "learning rate of the head, as a fraction of --lr; 0: 0.1 for regression, 1 for heatmaps",
    )
    no_floor: bool = _option(False, "do not prevent dead units of conv8, which no face activates")
    final_lr_fraction: float = _option(0.01, "learning rate at the end, as a fraction of the peak")
    warmup: float = _option(0.03, "part of the run over which the learning rate rises")
    weight_decay: float = _option(0.01, "AdamW's, on kernels of convolutions and the head")
    clip: float = _option(100.0, "largest norm of the gradient; 0 for none")
    ema: float = _option(0.998, "decay of the averaged weights per step; 0 for none")
    precision: str = _option("no", "mixed precision", PRECISIONS)
    float32_end: float = _option(0.2, "part of the run, at its end, that is in float32")
    synchronize: bool = _option(False, "batch statistics over all processes")
    seed: int = _option(0, "random seed of initial weights, order of faces and augmentation")
    deterministic: bool = _option(False, "only algorithms that repeat bit for bit, on GPUs as well")

    loss: str = _option("wing", "what is minimised", LOSSES)
    wing_width: float = _option(10.0, "where Wing's logarithm ends, in crop pixels")
    wing_epsilon: float = _option(2.0, "curvature of Wing's logarithm, in crop pixels")
    wing_width_end: float = _option(0.0, "--wing-width at the end of the run; 0: it stays")
    beta: float = _option(1.0, "where SmoothL1 turns linear, in crop pixels")
    fraction_units: bool = _option(False, "compute losses in fractions of the crop, as published")
    no_mean_shape: bool = _option(False, "start the head at random, not at the mean shape")
    parts_weight: float = _option(
        0.3,
        "weight of the losses of a heatmap head's two parts, in addition to that of its landmarks",
    )
    pose_repeats: int = _option(1, "how often a pass over all faces includes those in large pose")
    label_trust: float = _option(
        0.0,
        "annotators' disagreement, over a face's diagonal, that halves its weight; 0: all alike",
    )
    teacher: str = _option("", "weight or ONNX file whose points are imitated as well")
    teacher_weight: float = _option(0.5, "share of the loss that goes to the teacher's points")

    augmentation: float = _option(1.0, "final strength of augmentation, 0..1")
    augmentation_start: float = _option(
        0.3, "first strength of augmentation, as a factor of --augmentation; above 1 it decreases"
    )
    augmentation_until: float = _option(0.6, "part of the run over which augmentation changes")

    evaluate_every: int = _option(20_000, "faces between validations")
    log_every: int = _option(10, "steps between rows of the log; a GPU waits for each")
    checkpoint_minutes: float = _option(
        5.0, "minutes between checkpoints, beside those at validations"
    )

    def __post_init__(self) -> None:
        for entry in fields(self):
            _require_choice(entry, getattr(self, entry.name))
        positive = (
            "width_multiplier", "num_conv_branches", "faces", "batch_size", "lr", "wing_width",
            "wing_epsilon", "beta", "pose_repeats", "evaluate_every",
            "checkpoint_minutes", "synthetic_faces", "log_every",
        )  # fmt: skip
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"{flag(name)} must be positive, got {getattr(self, name)}")
        shares = (
            "allow_missing", "validation_fraction", "warmup", "final_lr_fraction", "ema",
            "teacher_weight", "augmentation", "augmentation_until", "float32_end",
        )  # fmt: skip
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{flag(name)} must be from 0 to 1, got {getattr(self, name)}")
        if not 0 <= self.augmentation_start * self.augmentation <= 1:
            raise ValueError(
                f"--augmentation-start times --augmentation must be from 0 to 1, got "
                f"{self.augmentation_start} times {self.augmentation}"
            )
        not_negative = (
            "weight_decay", "clip", "seed", "label_trust", "wing_width_end", "head_lr_fraction",
            "parts_weight", "minutes",
        )  # fmt: skip
        for name in not_negative:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{flag(name)} must not be negative, got {getattr(self, name)}")
        if self.ema == 1:
            raise ValueError("--ema must be below 1: with 1 the averaged weights never move")
        if self.label_trust and self.loss.startswith("pfld"):
            raise ValueError("--label-trust goes with --loss wing, smooth-l1 or rle")
        if self.loss == "rle" and self.head != "regression":
            raise ValueError("--loss rle goes with --head regression, whose errors it models")
        if self.loss == "rle" and self.teacher:
            raise ValueError("--loss rle models errors against labels, and takes no --teacher")
        if self.frozen_statistics and not self.initial_weights:
            raise ValueError("--frozen-statistics needs --initial-weights, which have statistics")
        if self.frozen_layers and not self.initial_weights:
            raise ValueError("--frozen-layers needs --initial-weights, which have learnt something")
        if self.faces < self.batch_size:
            raise ValueError(f"--faces {self.faces} is less than one batch of {self.batch_size}")

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.faces // self.batch_size

    @property
    def architecture(self) -> str:
        """Network and head in one name, as weight files are named."""
        return architecture_name(self.network, self.head)

    @property
    def head_rate(self) -> float:
        """Learning rate of the head as a fraction of that of the trunk."""
        return self.head_lr_fraction or HEAD_RATES[self.head]

    @property
    def out_dir(self) -> Path:
        """The folder ``out``."""
        return Path(self.out)

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values, by name."""
        return asdict(self)


def flag(name: str) -> str:
    """The command line option of a setting."""
    return "--" + name.replace("_", "-")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds one option per field of :class:`TrainingConfig`, with its default."""
    types = typing.get_type_hints(TrainingConfig)
    for entry in fields(TrainingConfig):
        text = entry.metadata["help"]
        if types[entry.name] is bool:
            parser.add_argument(flag(entry.name), action="store_true", help=text)
            continue
        shown = "" if entry.default == "" else " (default: %(default)s)"
        parser.add_argument(
            flag(entry.name),
            type=types[entry.name],
            default=entry.default,
            choices=entry.metadata["choices"],
            help=text.replace("%", "%%") + shown,
        )


def config_from(arguments: argparse.Namespace) -> TrainingConfig:
    """The configuration from parsed options.

    Raises:
        ValueError: As :class:`TrainingConfig`.
    """
    return TrainingConfig(
        **{entry.name: getattr(arguments, entry.name) for entry in fields(TrainingConfig)}
    )


def _require_choice(entry: Field[Any], value: object) -> None:
    choices = entry.metadata["choices"]
    if choices and value not in choices:
        raise ValueError(
            f"{flag(entry.name)} must be one of {', '.join(map(str, choices))}, got {value!r}"
        )
