"""What README.md and docs/python.md promise. A change here is a change for users: say so in CHANGELOG.md."""

import argparse
import importlib
import inspect
import re

import pytest

import pfld
from landmark_app.server.options import parser as app_parser
from pfld.commands import benchmark, evaluate, export, predict
from pfld.training.config import add_options
from support.paths import ROOT

PAGES = "\n".join((ROOT / page).read_text() for page in ("README.md", "docs/python.md"))

SIGNATURES = {
    "pfld.FaceLandmarker": (
        "(backend: Backend, detector: FaceDetector | None = None, *, min_score: float = 0.5) -> None"
    ),
    "pfld.FaceLandmarker.from_pretrained": (
        "(weights: str | os.PathLike[str] = 'ghostone-heatmap', backend: str = 'onnx', *, threads: int = 1, "
        "min_score: float = 0.5, max_faces: int | None = None) -> FaceLandmarker"
    ),
    "pfld.FaceLandmarker.__call__": (
        "(self, image_rgb: ArrayLike, *, thorough: bool = True) -> list[Face]"
    ),
    "pfld.FaceTracker": (
        "(landmarker: Landmarker, *, smoothing: bool = True, detect_every_s: float = 0.5, "
        "max_faces: int = 8, min_quality: float = 0.3, sure_quality: float = 0.6) -> None"
    ),
    "pfld.FaceTracker.__call__": (
        "(self, image_rgb: NDArray[np.uint8], time_s: float) -> list[Face]"
    ),
    "pfld.FaceTracker.reset": "(self) -> None",
    "pfld.build_network": (
        "(name: str, *, head: str = 'regression', width_multiplier: float = 1.0, num_landmarks: int = 98, "
        "input_size: int = 112, num_conv_branches: int = 6, reparameterized: bool = False) "
        "-> LandmarkNetwork"
    ),
    "pfld.read_picture": "(path: str | os.PathLike[str]) -> NDArray[np.uint8]",
    "pfld.reparameterize": "(model: Model) -> Model",
    "pfld.runtime.face.Face": (
        "(landmarks: NDArray[np.float32], score: float, quality: float, "
        "identity: int | None = None, point_uncertainty: NDArray[np.float32] | None = None) -> None"
    ),
    "pfld.runtime.face.Face.to_dict": "(self) -> dict[str, Any]",
    "pfld.media.pictures.read_picture": "(path: str | os.PathLike[str]) -> NDArray[np.uint8]",
    "pfld.weights.load_weights": (
        "(path: str | Path, *, network: str | None = None, channel_order: str | None = None) -> "
        "tuple[LandmarkNetwork, WeightMetadata]"
    ),
    "pfld.weights.load_state": "(model: nn.Module, state: Mapping[str, Tensor]) -> None",
    "pfld.weights.read_state": "(path: str | Path) -> dict[str, Tensor]",
    "pfld.losses.wing_loss": (
        "(prediction_px: Tensor, target_px: Tensor, *, width: float = 10.0, "
        "epsilon: float = 2.0, face_weights: Tensor | None = None) -> Tensor"
    ),
    "pfld.losses.smooth_l1_loss": (
        "(prediction: Tensor, target: Tensor, *, beta: float = 1.0, "
        "face_weights: Tensor | None = None) -> Tensor"
    ),
    "pfld.losses.pfld_loss": (
        "(prediction: Tensor, target: Tensor, angles: Tensor, target_angles: Tensor, "
        "attributes: Tensor, *, original_weighting: bool = False) -> tuple[Tensor, Tensor]"
    ),
    "pfld.losses.calibration_loss": "(uncertainty: Tensor, error: Tensor) -> Tensor",
    "pfld.blocks.freeze_statistics_": "(model: nn.Module) -> None",
    "pfld.blocks.set_folded_training": "(model: nn.Module, *, enabled: bool) -> None",
    "pfld.blocks.synchronize_moments": "(model: nn.Module, *, enabled: bool = True) -> None",
}

PROPERTIES = {"box", "pose", "eye_opening", "mouth_opening", "landmarks_68"}  # of a Face

OPTIONS = {
    "predict": (
        "--out --json --csv --parquet --network --weights --backend --threads --workers "
        "--max-faces --min-score "
        "--no-smoothing --no-pictures --boxes --axes --indices --labels --uncertainty --overwrite --ray"
    ),
    "evaluate": (
        "--weights --data --split --protocol --channel-order --robustness --allow-missing --json "
        "--plot"
    ),
    "export": "--weights --out --channel-order --self-contained --int8 --calibration",
    "benchmark": "--networks --backends --threads --rounds --frames --json --plot",
    "benchmark training": "--batch-size --steps --rounds --variant --json",
    "benchmark numerics": "--networks --data --json",
    "demo/app.py": (
        "--host --port --root-path --allow-host --allow-frame --auth --auth-file --ssl-certfile "
        "--ssl-keyfile --share --network --max-upload-mb --max-stored-mb --max-video-s --max-live --max-jobs"
    ),
    "train.py": (
        "--data --out --cache --allow-missing --synthetic-faces --validation-fraction --network "
        "--head --width-multiplier --input-size --num-conv-branches --plain-branches --initial-weights "
        "--frozen-statistics --frozen-layers --faces --minutes --batch-size --lr --head-lr-fraction "
        "--no-floor --final-lr-fraction --warmup "
        "--weight-decay --clip --ema --precision --float32-end --synchronize --seed --deterministic --loss "
        "--wing-width --wing-epsilon --wing-width-end --beta --fraction-units --no-mean-shape --parts-weight "
        "--pose-repeats --label-trust --teacher --teacher-weight --augmentation "
        "--augmentation-start --augmentation-until "
        "--evaluate-every --log-every --checkpoint-minutes"
    ),
}


def named(dotted):
    """What ``pfld.a.b.C.d`` is."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(dotted)


def signature_of(dotted):
    """As it stands in the source; with postponed evaluation annotations are text, in quotes."""
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(named(dotted))))


@pytest.mark.parametrize("dotted", SIGNATURES)
def test_signature_is_as_promised(dotted):
    assert signature_of(dotted) == SIGNATURES[dotted]


def test_every_name_of_the_package_has_a_signature_here():
    assert {f"pfld.{name}" for name in pfld.__all__} <= SIGNATURES.keys()


def test_a_face_has_its_properties():
    assert all(hasattr(named("pfld.runtime.face.Face"), name) for name in PROPERTIES)


def test_a_misspelt_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="FaceLandmaker"):
        pfld.FaceLandmaker  # noqa: B018


@pytest.mark.parametrize("dotted", sorted(set(re.findall(r"\bpfld(?:\.[A-Za-z_]\w*)+", PAGES))))
def test_names_in_the_readme_exist(dotted):
    assert named(dotted) is not None


def parsers():
    """By command, what reads its options."""
    root = argparse.ArgumentParser()
    commands = root.add_subparsers()
    for command in (predict, evaluate, export, benchmark):
        command.add_parser(commands)
    training = argparse.ArgumentParser()
    add_options(training)
    found = {**commands.choices, "demo/app.py": app_parser(""), "train.py": training}
    kinds = next(
        a for a in found["benchmark"]._actions if isinstance(a, argparse._SubParsersAction)
    )
    return found | {f"benchmark {name}": parser for name, parser in kinds.choices.items()}


@pytest.mark.parametrize("command", OPTIONS)
def test_options_are_as_promised(command):
    found = [option for action in parsers()[command]._actions for option in action.option_strings]
    assert [option for option in found if option not in ("-h", "--help")] == OPTIONS[
        command
    ].split()


def test_every_command_has_its_options_here():
    assert parsers().keys() == OPTIONS.keys()


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_every_option_has_its_default(command):
    silent = [
        action.option_strings[0]
        for action in parsers()[command]._actions
        if action.option_strings and not action.required and "default" not in (action.help or "")
        if action.option_strings[0] not in ("-h", "--help")
        and not (command == "train.py" and not action.default)
    ]
    assert not silent
