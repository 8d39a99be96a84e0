"""Trains the flagship on a rented GPU in one command, from packed data set to weights.

    python tools/train_packed.py --archives faces.zip lists.tar.xz --minutes 8 --out OUT

Unpacks a data set in WFLW's layout, trains for a number of minutes, starting from weights of this
repository, and copies the results to OUT: weights, ONNX file, metrics, log and curves, a few MB each.
Checkpoints stay in ``--work``; with the same ``--work`` the command resumes an unfinished run. Options
after ``--`` are passed to train.py.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # train.py lies beside the package

# Chosen on held-out faces, for a GPU that takes some thousand faces a second.
RECIPE = (
    "--head heatmap --frozen-statistics --batch-size 512 --lr 0.002 --warmup 0.03 --clip 100 "
    "--precision bf16 --float32-end 0.2 --ema 0.9995 --pose-repeats 3 --label-trust 0.08 "
    "--augmentation 0.25 --augmentation-start 3.6 --augmentation-until 1 "
    "--evaluate-every 1000000 --log-every 400 --checkpoint-minutes 3"
)
TAKEN_HOME = ("*.safetensors", "*.onnx", "*.json", "log.csv", "curves.png", "validation.png")


def unpack(archives: list[Path], folder: Path) -> Path:
    """Unpacks archives into one folder, unless a data set lies there; the folder of the data set.

    Raises:
        FileNotFoundError: When they hold no data set in WFLW's layout.
        shutil.ReadError: For a file that is not an archive.
    """
    if not any(folder.rglob("WFLW_annotations")):
        for archive in archives:
            options = {} if archive.suffix == ".zip" else {"filter": "data"}
            shutil.unpack_archive(archive, folder, **options)
    for found in sorted(folder.rglob("WFLW_annotations")):
        return found.parent
    raise FileNotFoundError(f"no WFLW_annotations in {', '.join(map(str, archives))}")


def main(argv: list[str] | None = None) -> int:
    """Unpacks, trains and copies the results; returns train.py's exit status."""
    import train

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archives", type=Path, nargs="+", required=True, help="zip or tar files")
    parser.add_argument(
        "--minutes", type=float, default=8, help="length of the training (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--work", type=Path, help="folder for faces and checkpoints (default: new)")
    parser.add_argument(
        "--weights",
        type=Path,
        help="weights to start from (default: weights/ghostone-heatmap.safetensors, or ghostone's)",
    )
    parser.add_argument("options", nargs="*", help="options of train.py, after --")
    arguments = parser.parse_args(argv)
    work = arguments.work or Path(tempfile.mkdtemp(prefix="pfld-train-"))
    data = unpack(arguments.archives, work / "faces")
    shipped = [ROOT / "weights" / f"{n}.safetensors" for n in ("ghostone-heatmap", "ghostone")]
    weights = arguments.weights or next(path for path in shipped if path.is_file())
    run = work / "run"
    status = train.main(
        [
            *("--data", str(data), "--out", str(run), "--initial-weights", str(weights)),
            *("--minutes", str(arguments.minutes), "--resume"),
            *RECIPE.split(),
            *arguments.options,
        ]
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    for pattern in TAKEN_HOME:
        for path in run.glob(pattern):
            shutil.copy2(path, arguments.out)
    return status


if __name__ == "__main__":
    sys.exit(main())
