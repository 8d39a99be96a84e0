"""Results of a training run: weight files, ONNX export, and a JSON file of metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pfld.export.onnx import export_onnx
from pfld.files import write_whole
from pfld.training.background import fit_no_face_
from pfld.training.config import PATHS, TrainingConfig
from pfld.training.faces import SYNTHETIC
from pfld.training.trainer import Trainer, published_name
from pfld.training.validation import validate
from pfld.weights import read_metadata, save_weights
from pfld.weights.metadata import WeightMetadata


def write_results(trainer: Trainer, history: list[dict[str, Any]], data_name: str) -> list[str]:
    """Writes train-time weights, re-parameterized ONNX and a JSON of metrics; returns lines about them.

    The metrics are of the held-out faces and, if the data set has a test split, of that.
    """
    from pfld.evaluation.evaluate import evaluate

    config, folder = trainer.config, trainer.config.out_dir
    name = published_name(config)
    if config.head == "heatmap":
        fit_no_face_(
            trainer.averaged_network,
            trainer.face_set,
            trainer.faces,
            trainer.training,
            seed=config.seed,
        )
    errors = validate(trainer.averaged_network, trainer.faces, trainer.validation)
    metrics = {
        "validation_nme": float(errors.mean()),
        "faces_seen": float(trainer.faces_seen),
    }

    def metadata() -> WeightMetadata:
        return WeightMetadata(
            config.network,
            trainer.preprocessing,
            head=config.head,
            landmark_scheme=trainer.faces.scheme.name,
            width_multiplier=config.width_multiplier,
            num_conv_branches=config.num_conv_branches,
            training_data=data_name,
            license=license_after(config.initial_weights),
            metrics=metrics,
        )

    weights = folder / f"{name}.safetensors"

    def write_weights() -> None:
        save_weights(weights, trainer.averaged_network, metadata())
        export_onnx(trainer.averaged_network, weights.with_suffix(".onnx"), metadata())

    write_weights()  # so that there are weights even if the evaluation fails
    report: dict[str, Any] = {"config": _without_folders(config), "data": data_name, **metrics}
    report["earlier_runs"] = earlier_runs(config.initial_weights)
    if config.data != SYNTHETIC:
        try:
            report["test"] = evaluate(
                weights, config.data, allow_missing=config.allow_missing
            ).to_json()
        except FileNotFoundError:
            pass  # a data set without a test split
    if "test" in report:
        metrics["test_nme"] = report["test"]["nme"]
        write_weights()
    report["history"] = [row for row in history if "validation_nme" in row]
    write_whole(folder / f"{name}.json", json.dumps(report, indent=2) + "\n")
    lines = [f"{key}: {value:.4f}" for key, value in metrics.items() if key.endswith("nme")]
    return [*lines, f"wrote {name}.safetensors, {name}.onnx and {name}.json to {folder}"]


def earlier_runs(initial_weights: str) -> list[dict[str, Any]]:
    """Options and faces seen of the runs that made the initial weights of a run, the first one first.

    Empty if their JSON file is not beside them.
    """
    try:
        about = json.loads(Path(initial_weights).with_suffix(".json").read_text())
        last = {name: about[name] for name in ("config", "faces_seen")}
        return [*about.get("earlier_runs", []), last]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def license_after(initial_weights: str) -> str:
    """The licence of new weights: that of the weights the run began with, where these say one."""
    if Path(initial_weights).suffix != ".safetensors":
        return WeightMetadata.license
    return read_metadata(initial_weights).license


def _without_folders(config: TrainingConfig) -> dict[str, Any]:
    """The options, with only the last part of paths: results are published, folders are not."""
    return {
        name: Path(value).name if value and name in PATHS else value
        for name, value in config.as_dict().items()
    }
