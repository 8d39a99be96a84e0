"""The app with networks that take a set time and find set points: ``python paced_app.py FOLDER [options]``.

FOLDER takes empty weight files; the options are those of demo/app.py. The network "face" has branches,
"plain" has none.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "demo"), str(ROOT / "tests")]

SECONDS = {"train-time": 0.09, "reparameterized": 0.03, "onnx": 0.006, "onnx-int8": 0.004}
SHIFTS = {"onnx-int8": 0.01}  # of a crop; the points of other modes are alike


def main() -> int:
    import app
    from landmark_app.models import Models
    from pfld.weights import shipped
    from pfld.weights.metadata import WeightMetadata
    from support.fake_models import FakeBackend, compute

    class Paced(FakeBackend):
        def __init__(self, network, mode):
            super().__init__(mode, folder / f"{network}.onnx", shift=SHIFTS.get(mode, 0.0))
            self.metadata = WeightMetadata({"face": "ghostone", "plain": "pfld"}[network])

        def _run(self, batch):
            found = super()._run(batch)
            self.batches.clear()
            compute(SECONDS[self.name])
            return found

    folder = Path(sys.argv[1])
    for network in ("face", "plain"):
        for ending in (".safetensors", ".onnx", "-int8.onnx"):
            (folder / f"{network}{ending}").write_bytes(b"")
    shipped.SHIPPED = folder
    app.Models = lambda network: Models("face", load=Paced)
    return app.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
